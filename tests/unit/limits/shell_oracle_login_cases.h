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
};

}  // namespace idlewarden::test
