# SPDX-License-Identifier: Apache-2.0
# Completion of idlewarden(8) for fish.

function __idlewarden_sessions
    idlewarden sessions --json 2>/dev/null | string match -ar '"tty":"([^"]*)"' | string match -rv '"'
end

set -l commands run sessions top events whatif explain lint check-config doctor unload version
set -l none "not __fish_seen_subcommand_from $commands"
complete -c idlewarden -f
complete -c idlewarden -s h -l help -d 'Print the help'
complete -c idlewarden -n "$none" -l version -d 'Print the version'
complete -c idlewarden -n "$none" -a run -d 'Watch the sessions of this host (the service)'
complete -c idlewarden -n "$none" -a sessions -d 'The sessions: idle time, limit and its source'
complete -c idlewarden -n "$none" -a top -d 'Live sessions, what ends next first'
complete -c idlewarden -n "$none" -a events -d 'The last events, the newest last'
complete -c idlewarden -n "$none" -a whatif -d 'Whom other limits would have ended so far'
complete -c idlewarden -n "$none" -a explain -d 'How long a session may be idle, and who says so'
complete -c idlewarden -n "$none" -a lint -d 'What does not do what it seems to, and the fix'
complete -c idlewarden -n "$none" -a check-config -d 'Say what is wrong with a policy file'
complete -c idlewarden -n "$none" -a doctor -d 'Which way of seeing input works here, and why'
complete -c idlewarden -n "$none" -a unload -d 'Remove what stays in the kernel'
complete -c idlewarden -n "$none" -a version -d 'Print the version'

set -l of '__fish_seen_subcommand_from'
complete -c idlewarden -n "$of $commands" -l json -d 'For machines'
complete -c idlewarden -n "$of run sessions top events whatif explain" -l socket -rF -d 'The socket of the daemon'
complete -c idlewarden -n "$of run explain lint check-config" -l config -rF -d 'Policy file'
complete -c idlewarden -n "$of explain lint check-config" -l root -x -a '(__fish_complete_directories)' -d 'Read this tree as /'
complete -c idlewarden -n "$of explain lint" -l sshd-config -rF -d 'Instead of /etc/ssh/sshd_config'
complete -c idlewarden -n "$of run" -l mode -x -a 'audit enforce' -d 'Instead of the mode of the policy'
complete -c idlewarden -n "$of run" -l backend -x -a 'auto fentry kprobe sampler tracepoint' -d 'How input is observed'
complete -c idlewarden -n "$of run" -l metrics-listen -x -a '127.0.0.1:9477 none' -d 'Where Prometheus finds the metrics'
complete -c idlewarden -n "$of run" -l pin-dir -x -a '(__fish_complete_directories) none' -d 'Where kernel state outlives a restart'
complete -c idlewarden -n "$of unload" -l pin-dir -x -a '(__fish_complete_directories)' -d 'Where it is pinned'
complete -c idlewarden -n "$of run" -l state-dir -x -a '(__fish_complete_directories) none' -d 'Where idle times outlive a restart'
complete -c idlewarden -n "$of whatif" -l state-dir -x -a '(__fish_complete_directories)' -d 'Read what a daemon kept there'
complete -c idlewarden -n "$of run" -l events-file -rF -d 'Append every event to this file'
complete -c idlewarden -n "$of run" -l only-host-pid -x -a '(__fish_complete_pids)' -d 'Only sessions reached through this process'
complete -c idlewarden -n "$of top" -l interval -x -a '1s 2s 5s 10s 1m' -d 'How often to look'
complete -c idlewarden -n "$of top" -l once -d 'Print the table and leave'
complete -c idlewarden -n "$of events" -s f -l follow -d 'Instead, what happens from now on'
complete -c idlewarden -n "$of whatif" -l limit -x -a '5m 10m 15m 30m 60m' -d 'A limit to ask about'
complete -c idlewarden -n "$of whatif" -l users -x -d 'How many users to name'
complete -c idlewarden -n "$of explain" -l user -x -a '(__fish_complete_users)' -d 'A session that this user would begin now'
complete -c idlewarden -n "$of explain" -l session -x -a '(__idlewarden_sessions)' -d 'A live session'
complete -c idlewarden -n "$of explain" -l groups -x -a '(__fish_complete_groups)' -d 'Instead of those of the account'
complete -c idlewarden -n "$of explain" -l addr -x -d 'The address of the client'
complete -c idlewarden -n "$of explain" -l host -x -d 'The name of the client'
complete -c idlewarden -n "$of explain" -l laddr -x -d 'The address it connected to'
complete -c idlewarden -n "$of explain" -l lport -x -d 'The port it connected to'
complete -c idlewarden -n "$of explain" -l tty -x -d 'Its terminal'
complete -c idlewarden -n "$of explain" -l shell -rF -d 'The login shell'
complete -c idlewarden -n "$of explain" -l kind -x -a 'ssh ssh-nopty console' -d 'What kind of session'
complete -c idlewarden -n "$of lint" -l against -rF -d 'Does this host meet the controls of this file'
complete -c idlewarden -n "$of check-config" -F
