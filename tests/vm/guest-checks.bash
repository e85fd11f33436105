# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2317,SC2034 # functions are reached through check; failed is read
# Sourced by the jobs of a guest: a line a check, and what it saw where it failed.
exec 2>&1
failed=0
check() { # NAME COMMAND...: passes if the command does
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "PASS $name"
  else
    echo "FAIL $name: $*"
    echo "    ${output//$'\n'/$'\n'    }"
    failed=1
  fi
}
# COMMAND...: waits until it succeeds. How fast an emulated machine is, is no finding: whatever has to
# happen may take this long, and what is idle is compared with what went by meanwhile.
eventually() {
  local until=$((SECONDS + 180))
  until "$@"; do
    ((SECONDS < until)) || return 1
    sleep 0.5
  done
}
give_up() {
  journalctl -u idlewarden --no-pager | tail -n 40
  exit 1
}
sessions() { idlewarden sessions --json; }
shows() { sessions | grep -q "\"user\":\"$1\",[^}]*\"tty\":\"$2"; }
idle_of() { sessions | python3 -c "import json, sys
print(int([s for s in json.load(sys.stdin)['sessions'] if s['user'] == '$1'][0]['idle_seconds']))"; }
idle_below() { (($(idle_of "$1") < $2)); }
idle_at_least() { (($(idle_of "$1") >= $2)); }
field() { # USER FIELD: of the one session of that user; empty where it has none
  sessions | python3 -c "import json, sys
mine = [s for s in json.load(sys.stdin)['sessions'] if s['user'] == '$1']
print(mine[0]['$2'] or '' if len(mine) == 1 else f'{len(mine)} sessions')"; }
has_field() { [[ $(field "$1" "$2") == "$3" ]]; }
is_gone() { ! sessions | grep -q "\"user\":\"$1\""; }
journal_has() { journalctl -u idlewarden -o json --no-pager | grep -q "$@"; }
has_mode() { [[ $(stat -c %a "$1") == "$2" ]]; }
exits_with() { # STATUS COMMAND...
  local wanted=$1 status=0
  shift
  "$@" || status=$?
  ((status == wanted))
}
let_in() { # USER: by /root/key
  [[ -e /root/key ]] || ssh-keygen -q -t ed25519 -N '' -f /root/key
  install -d -o "$1" "/home/$1/.ssh"
  install -o "$1" /root/key.pub "/home/$1/.ssh/authorized_keys"
}
ssh_login() { # USER: typed is what arrives on standard input
  ssh -tt -o StrictHostKeyChecking=no -o KexAlgorithms=curve25519-sha256 -i /root/key "$1@127.0.0.1" \
    >/dev/null 2>&1
}
ssh_as() { # USER: who types nothing
  sleep 3600 | ssh_login "$1"
}
types_as() { # USER: a comment sign every second
  while sleep 1; do printf '#' || break; done | ssh_login "$1"
}
