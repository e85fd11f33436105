// SPDX-License-Identifier: Apache-2.0
// Start-up files that ask who logs in, how, and what the shell has set before it reads them.
#pragma once

#include "shell_oracle_cases.h"

namespace idlewarden::test {

inline constexpr OracleCase kOracleLoginCases[] = {
    // What the shell or the login has set, although the file sets it as well.
    {"bash", kDecided, "@PROFILE\n[ -z \"$HOSTNAME\" ] && TMOUT=300\nHOSTNAME=$(hostname)\n"},
    {"ksh93 mksh", kNotLooser,
     "@PROFILE\n[ -z \"$HOSTNAME\" ] && TMOUT=300\nHOSTNAME=$(hostname)\n"},
    {"bash", kDecided, "@PROFILE\nif [ -n \"$HOSTNAME\" ]; then TMOUT=600; fi\nHOSTNAME=x\n"},
    {"zsh", kDecided, "@PROFILE\nif [ -n \"$HOST\" ]; then TMOUT=600; fi\nHOST=x\n"},
    {"bash zsh", kDecided,
     "@PROFILE\ncase $OSTYPE in linux*) TMOUT=600;; esac\n[ -n \"$OSTYPE\" ] || "
     "OSTYPE=linux-gnu\n"},
    {"bash zsh", kDecided, "@PROFILE\n[ \"$OSTYPE\" = solaris ] && TMOUT=600\nOSTYPE=x\n"},
    {"sh", kDecided,
     "@PROFILE\n[ -n \"$PWD\" ] && [ \"$PPID\" ] && [ -n \"$IFS\" ] && TMOUT=600\nPWD=x; IFS=:\n"},
    {"sh", kDecided, "@PROFILE\n[ \"$RANDOM$SECONDS\" ] || TMOUT=600\nRANDOM=1; SECONDS=1\n"},
    {"bash zsh ksh93", kDecided, "@PROFILE\n[ -z \"$SHLVL\" ] || TMOUT=600\nSHLVL=1\n"},
    {"bash", kDecided,
     "@PROFILE\n[ \"$HOSTTYPE\" ] && [ \"$MACHTYPE\" ] && TMOUT=600\nHOSTTYPE=; MACHTYPE=\n"},
    {"sh", kNotLooser, "@PROFILE\n[ -z \"$MAIL\" ] && TMOUT=600\nMAIL=/var/mail/$USER\n"},
    {"bash zsh mksh", kNotLooser, "@PROFILE\n[ -n \"$LANG\" ] || TMOUT=600\nLANG=C.UTF-8\n"},
    {"sh", kNotLooser, "@PROFILE\n[ -z \"$DISPLAY\" ] && TMOUT=600\nDISPLAY=:0\n"},
    {"sh", kDecided, "@PROFILE\n[ -z \"$SITE_READ\" ] && TMOUT=600\nSITE_READ=1\n"},
    // Who logs in, in its usual spellings. The name is u or root.
    {"bash zsh ksh93", kDecided, "@PROFILE\n[[ $USER =~ ^(root|u)$ ]] || TMOUT=300\n", true},
    {"bash zsh ksh93", kDecided, "@PROFILE\n[[ $USER =~ ^(root|us)$ ]] || TMOUT=300\n", true},
    {"bash zsh ksh93", kDecided, "@PROFILE\n[[ ( $USER =~ (^root|o)$ ) ]] || TMOUT=300\n", true},
    {"bash zsh ksh93", kDecided,
     "@PROFILE\nif [[ -n $USER && $USER =~ ^((ro|u)ot)$ || $USER =~ x ]]; then TMOUT=300; fi\n"},
    {"bash", kDecided, "@PROFILE\nE='root|u'\n[[ $USER =~ ^($E)$ ]] || TMOUT=300\n", true},
    {"bash", kNotLooser, "@PROFILE\n[[ $USER =~ \"^(root|u)$\" ]] || TMOUT=300\n", true},
    {"bash", kNotLooser, "@PROFILE\n[[ $USER =~ ^(root|u*)$ ]] || TMOUT=300\n", true},
    {"bash ksh93 mksh", kDecided, "@PROFILE\n[[ \"$USER\" != @(root|u) ]] && TMOUT=600\n", true},
    {"bash ksh93 mksh", kDecided, "@PROFILE\n[[ $USER == @(root|v*) ]] || TMOUT=600\n", true},
    {"bash ksh93 mksh", kDecided, "@PROFILE\n[[ x$USER.y = x@(root|u).* ]] && TMOUT=600\n", true},
    {"bash ksh93 mksh", kNotLooser, "@PROFILE\n[[ $USER == !(root) ]] && TMOUT=600\n", true},
    {"sh", kDecided,
     "@PROFILE\nif echo \"$USER\" | grep -qE '^(root|u)$'; then TMOUT=0; else TMOUT=600; fi\n",
     true},
    {"sh", kDecided, "@PROFILE\necho $USER | egrep -q '^root|s$' || TMOUT=600\n", true},
    {"sh", kDecided, "@PROFILE\necho \"$USER\" | grep -q '^u' && TMOUT=600\n", true},
    {"sh", kDecided, "@PROFILE\necho \"$USER\" | grep -q 'o$' && TMOUT=600\n", true},
    {"sh", kDecided, "@PROFILE\nid -nG | grep -qwE 'wheel|staff' && TMOUT=600\n", true},
    {"sh", kDecided, "@PROFILE\nid -nG | grep -qwE '(whe|st)el|staf' && TMOUT=600\n", true},
    {"sh", kDecided, "@PROFILE\nid -nG | tr ' ' '\\n' | grep -qxE 'staff|wheel' && TMOUT=600\n",
     true},
    {"sh", kNotLooser, "@PROFILE\necho \"$USER\" | grep -q '^(root|u)$' || TMOUT=600\n", true},
    {"bash ksh93 mksh", kDecided,
     "@PROFILE\nEXEMPT=\"root u\"; for x in $EXEMPT; do [ \"$x\" = \"$USER\" ] && return; done; "
     "TMOUT=300\n",
     true},
    {"bash ksh93 mksh", kDecided,
     "@PROFILE\nEXEMPT=\" root\tv \"; for x in $EXEMPT; do [ \"$x\" = \"$USER\" ] && return; "
     "done; TMOUT=300\n",
     true},
    {"bash ksh93 mksh", kDecided,
     "@PROFILE\nE=\"root u\"; for x in \"$E\"; do [ \"$x\" = \"$USER\" ] && TMOUT=300; done\n",
     true},
    {"bash ksh93 mksh", kDecided,
     "@PROFILE\nE=\nfor x in $E; do TMOUT=300; done\nfor x in \"$E\"; do A=5; done\nTMOUT=60$A\n"},
    {"bash ksh93 mksh", kNotLooser,
     "@PROFILE\nE=root:u; IFS=:\nfor x in $E; do [ $x = u ] && TMOUT=300; done\nunset IFS\n", true},
    {"zsh", kNotLooser,
     "@PROFILE\nEXEMPT=\"root u\"; for x in $EXEMPT; do [ \"$x\" = \"$USER\" ] && return; done; "
     "TMOUT=300\n",
     true},
    // How: the terminal of whoever comes by ssh, from ::1.
    {"sh", kDecided, "@PROFILE\ncase $(tty) in /dev/tty[0-9]*) TMOUT=300;; esac\n"},
    {"sh", kNotLooser, "@PROFILE\ncase $(tty) in /dev/pts/[0-9]) TMOUT=300;; esac\n"},
    {"sh", kNotLooser, "@PROFILE\ncase $(tty </dev/null) in /dev/*) ;; *) TMOUT=300;; esac\n"},
    {"sh", kDecided, "@PROFILE\ncase $SSH_TTY in /dev/pts/*) TMOUT=300;; *) TMOUT=600;; esac\n"},
    {"sh", kDecided,
     "@PROFILE\ncase \"$SSH_CONNECTION\" in 10.*) TMOUT=0 ;; *) TMOUT=300 ;; esac\n"},
    {"sh", kDecided, "@PROFILE\ncase \"$SSH_CLIENT\" in '::1 '*) TMOUT=700 ;; esac\n"},
    {"sh", kNotLooser, "@PROFILE\ncase \"$SSH_CLIENT\" in *' 2') TMOUT=700 ;; esac\n"},
    {"sh", kDecided, "@PROFILE\ncase \"x$SSH_CLIENT\" in x::1*) TMOUT=700 ;; esac\n"},
    {"sh", kDecided, "@PROFILE\n[ \"${SSH_CLIENT%% *}\" = ::1 ] && TMOUT=700\n"},
    {"bash zsh", kDecided, "@PROFILE\n[[ $SSH_CLIENT == 192.168.* ]] || TMOUT=700\n"},
    {"sh", kDecided, "@PROFILE\n[ \"$SSH_CONNECTION\" = 10.0.0.1 ] || TMOUT=700\n"},
};

}  // namespace idlewarden::test
