# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced: Debian packages of any suite, from the mirror that this machine's apt already uses, with
# apt state of our own under the cache. The machine's own lists and sources stay as they are.

# shellcheck disable=SC2034 # the sourcing script's
cache=${XDG_CACHE_HOME:-$HOME/.cache}/idlewarden-vm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit 1
}

# The mirror that serves Debian's codename $1 here.
mirror_of() {
  # shellcheck disable=SC2016 # apt expands these
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -v codename="$1" '$1 == codename { print $2; exit }'
}

# The sources.list lines of the named suites. Every ordinary suite lives on the mirror of this
# machine's own release, every *-security suite on that of its security updates.
sources_of() {
  local release main security suite
  release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  main=$(mirror_of "$release")
  security=$(mirror_of "$release-security")
  [[ -n $main ]] || die "apt on this machine knows no mirror of Debian '$release' (apt-get update?)"
  for suite in "$@"; do
    if [[ $suite == *-security ]]; then
      [[ -z $security ]] || echo "deb [signed-by=$keyring] $security $suite main"
    else
      echo "deb [signed-by=$keyring] $main $suite main"
    fi
  done
}

# private_apt STATE COMMAND ARGUMENT...: an apt tool that sees only STATE/sources.list.
private_apt() {
  local state=$1 tool=$2
  shift 2
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  "$tool" -q -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences=/dev/null \
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" \
    -o Dir::State::status=/dev/null -o APT::Architecture=amd64 -o APT::Sandbox::User=root "$@"
}

# quiet_mmdebstrap ARGUMENT...: without descriptors of who called us. Those it opens itself have to be
# below 10: apt writes to one by /bin/sh's `cat >&N`, and dash knows one digit only.
quiet_mmdebstrap() (
  for descriptor in /proc/self/fd/*; do
    descriptor=${descriptor##*/}
    ((descriptor <= 2)) || exec {descriptor}>&-
  done
  exec mmdebstrap --quiet "$@"
)
