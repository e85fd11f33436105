# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of idlewarden(8) for bash; needs nothing of the bash-completion package.

_idlewarden() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  # --option=value arrives in three words.
  if [[ $word == "=" ]]; then
    word=
  elif [[ $before == "=" ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()

  local command=${COMP_WORDS[1]}
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "run sessions top events whatif explain lint check-config
      doctor unload version -h --help --version" -- "$word")
    return
  fi

  local values=
  case $before in
    --config | --against | --sshd-config | --events-file | --socket | --shell)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --root | --pin-dir | --state-dir)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      if [[ $command == run && $before != --root && none == "$word"* ]]; then COMPREPLY+=(none); fi
      return
      ;;
    --mode) values="audit enforce" ;;
    --backend) values="auto fentry kprobe sampler tracepoint" ;;
    --kind) values="ssh ssh-nopty console" ;;
    --limit) values="5m 10m 15m 30m 60m" ;;
    --interval) values="1s 2s 5s 10s 1m" ;;
    --metrics-listen) values="127.0.0.1:9477 none" ;;
    --user)
      mapfile -t COMPREPLY < <(compgen -u -- "$word")
      return
      ;;
    --groups)
      mapfile -t COMPREPLY < <(compgen -g -- "$word")
      return
      ;;
    --session) values=$(idlewarden sessions --json 2>/dev/null |
      grep -o '"tty":"[^"]*"' | cut -d'"' -f4) ;;
    --only-host-pid) values=$(pgrep -x 'sshd|dropbear' 2>/dev/null) ;;
    --addr | --host | --laddr | --lport | --tty | --users) return ;;
  esac
  if [[ -z $values ]]; then
    case $command in
      run) values="--config --mode --backend --socket --metrics-listen --pin-dir --state-dir
        --events-file --only-host-pid" ;;
      sessions) values="--socket" ;;
      top) values="--socket --interval --once" ;;
      events) values="--socket --follow -f" ;;
      whatif) values="--limit --users --socket --state-dir" ;;
      explain) values="--user --session --groups --addr --host --laddr --lport --tty --shell
        --kind --sshd-config --config --root --socket" ;;
      lint) values="--against --sshd-config --config --root" ;;
      check-config)
        if [[ $word != -* ]]; then
          compopt -o filenames
          mapfile -t COMPREPLY < <(compgen -f -- "$word")
          return
        fi
        values="--config --root"
        ;;
      doctor | version) ;;
      unload) values="--pin-dir" ;;
      *) return ;;
    esac
    values+=" --json -h --help"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
}
complete -F _idlewarden idlewarden
