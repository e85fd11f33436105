// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include "base/text.h"
#include "report/wrap.h"

namespace idlewarden {
namespace {

constexpr int kWidth = 80;

std::string paragraphs(const std::string& text) {
  std::string out;
  for (const std::string& line : split(text, '\n')) out += wrap(line, kWidth, "") + "\n";
  return out;
}

// The description starts on a line of its own where the name leaves no room.
std::string entry(std::string name, std::size_t indent, const std::string& description) {
  name.insert(0, 2, ' ');
  const std::string blank(indent, ' ');
  if (name.size() + 2 > indent) return name + "\n" + wrap(description, kWidth, blank) + "\n";
  name.resize(indent, ' ');
  return wrap(description, kWidth, name) + "\n";
}

}  // namespace

std::string Help::make_description(const CLI::App* app) const {
  return paragraphs(app->get_description());
}

std::string Help::make_footer(const CLI::App* app) const {
  const std::string footer = app->get_footer();
  return footer.empty() ? "" : paragraphs(footer);
}

std::string Help::make_subcommand(const CLI::App* command) const {
  return entry(command->get_name(), 16, command->get_description());
}

std::string Help::make_option(const CLI::Option* option, bool positional) const {
  return entry(make_option_name(option, positional) + make_option_opts(option), 26,
               make_option_desc(option));
}

// What is checked adds to the type what its name says already.
std::string Help::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return "";
  std::string type = option->get_type_name();
  type = type.substr(0, type.find(":{"));
  std::string out = type.empty() ? "" : " " + type;
  if (!option->get_default_str().empty()) out += "=" + option->get_default_str();
  if (option->get_expected_max() == CLI::detail::expected_max_vector_size) out += " ...";
  if (option->get_required()) out += " (required)";
  return out;
}

}  // namespace idlewarden
