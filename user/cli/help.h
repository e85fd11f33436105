// SPDX-License-Identifier: Apache-2.0
// How --help looks: 80 columns, whatever the descriptions' length.
#pragma once

#include <CLI/CLI.hpp>

namespace idlewarden {

class Help final : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_option(const CLI::Option* option, bool positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_footer(const CLI::App* app) const override;
};

}  // namespace idlewarden
