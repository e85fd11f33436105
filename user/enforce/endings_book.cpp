// SPDX-License-Identifier: Apache-2.0
#include "enforce/endings_book.h"

#include <algorithm>
#include <utility>

namespace idlewarden {
namespace {

constexpr std::size_t kMostBytes = 16 << 20;

}  // namespace

EndingsBook::EndingsBook(std::string folder, std::string boot_id, Tell tell)
    : path_(std::move(folder)), boot_id_(std::move(boot_id)), tell_(std::move(tell)) {}

Result<void> EndingsBook::open_folder() {
  if (folder_) return {};
  auto folder = StateFolder::open(path_);
  if (!folder) return std::unexpected(folder.error());
  folder_ = std::make_unique<StateFolder>(std::move(*folder));
  return {};
}

// Those that this daemon entered meanwhile stay.
Result<std::vector<BegunEnding>> EndingsBook::read() {
  const auto text = folder_->read(kFile, kMostBytes);
  if (!text && text.error().code == ENOENT) return std::vector<BegunEnding>();
  if (!text) return std::unexpected(text.error());
  auto kept = endings_from(*text, boot_id_);
  if (!kept) return std::unexpected(kept.error());
  std::vector<BegunEnding> all;
  for (auto& [id, begun] : *kept) all.push_back(std::move(begun));
  std::ranges::sort(all, {}, &BegunEnding::hung_up_at);
  for (const BegunEnding& begun : all) entries_.try_emplace(begun.session.id, begun);
  return all;
}

void EndingsBook::problem(const Error& error) {
  told_ = true;
  tell_("ends that are begun are not kept over a crash: " + error.text());
}

std::vector<BegunEnding> EndingsBook::open() {
  unread_ = true;
  if (const auto opened = open_folder(); !opened) {
    problem(opened.error());
    return {};
  }
  auto known = read();
  // An error of the system, not of what stands there.
  if (!known && known.error().code != 0) {
    problem(known.error());
    return {};
  }
  unread_ = false;
  const bool entered_meanwhile = told_ && !entries_.empty();
  if (known) {
    if (entered_meanwhile) save();
    if (std::exchange(told_, false)) tell_("");
    return std::move(*known);
  }
  std::string sentence = "the book of begun ends in " + path_ + "/" + kFile +
                         " cannot be used and is put aside: " + known.error().text();
  if (const auto aside = folder_->put_aside(kFile); !aside) {
    sentence += "; " + aside.error().text();
  }
  told_ = true;
  tell_(sentence);
  return {};
}

void EndingsBook::enter(BegunEnding begun) {
  const SessionId id = begun.session.id;
  entries_.insert_or_assign(id, std::move(begun));
  save();
}

void EndingsBook::strike(const SessionId& id) {
  if (entries_.erase(id) != 0) save();
}

void EndingsBook::save() {
  auto saved = open_folder();
  // What stands there is for open() to read; that this did not happen yet was told.
  const auto there = saved && unread_ ? read() : std::vector<BegunEnding>();
  if (!there || !there->empty()) return;
  if (saved) unread_ = false;
  if (saved) saved = folder_->replace(kFile, endings_text(boot_id_, entries_));
  if (!saved) {
    problem(saved.error());
  } else if (std::exchange(told_, false)) {
    tell_("");
  }
}

}  // namespace idlewarden
