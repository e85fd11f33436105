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

Result<void> EndingsBook::read() {
  const auto text = folder_->read(kFile, kMostBytes);
  if (!text && text.error().code == ENOENT) return {};
  if (!text) return std::unexpected(text.error());
  auto entries = endings_from(*text, boot_id_);
  if (!entries) return std::unexpected(entries.error());
  entries_ = std::move(*entries);
  return {};
}

std::vector<BegunEnding> EndingsBook::open() {
  if (const auto opened = open_folder(); !opened) {
    told_ = true;
    tell_("ends that are begun are not kept over a crash: " + opened.error().text());
    return {};
  }
  if (const auto known = read(); !known) {
    std::string sentence = "the book of begun ends in " + path_ + "/" + kFile +
                           " cannot be used and is put aside: " + known.error().text();
    if (const auto aside = folder_->put_aside(kFile); !aside) {
      sentence += "; " + aside.error().text();
    }
    told_ = true;
    tell_(sentence);
  }
  std::vector<BegunEnding> all;
  for (const auto& [id, begun] : entries_) all.push_back(begun);
  std::ranges::sort(all, {}, &BegunEnding::hung_up_at);
  return all;
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
  if (saved) saved = folder_->replace(kFile, endings_text(boot_id_, entries_));
  if (!saved) {
    told_ = true;
    tell_("ends that are begun are not kept over a crash: " + saved.error().text());
  } else if (std::exchange(told_, false)) {
    tell_("");
  }
}

}  // namespace idlewarden
