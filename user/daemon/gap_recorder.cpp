// SPDX-License-Identifier: Apache-2.0
#include "daemon/gap_recorder.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "report/idle_gaps_file.h"

namespace idlewarden {
namespace {

constexpr Nanoseconds kSaveEvery = std::chrono::minutes(5);
constexpr Nanoseconds kLoadAgain = std::chrono::seconds(10);

}  // namespace

GapRecorder::GapRecorder(std::string state_dir, std::string boot_id, const Clock& clock,
                         BootTime began, Tell tell)
    : state_dir_(std::move(state_dir)),
      boot_id_(std::move(boot_id)),
      clock_(clock),
      tell_(std::move(tell)),
      gaps_(clock.wall()) {
  if (!state_dir_.empty()) load(began);
}

GapRecorder::~GapRecorder() {
  if (saving_.valid()) saving_.wait();
}

void GapRecorder::problem(const std::string& sentence) {
  tell_("what `whatif` counts is not kept over a restart: " + sentence);
}

bool GapRecorder::open_folder() {
  auto folder = StateFolder::open(state_dir_);
  if (!folder) {
    problem(folder.error().text());
    return false;
  }
  folder_ = std::make_unique<StateFolder>(std::move(*folder));
  return true;
}

void GapRecorder::load(BootTime began) {
  next_load_ = clock_.now() + kLoadAgain;
  if (!folder_ && !open_folder()) return;
  const auto text = folder_->read(kIdleGapsFile, kIdleGapsBytes);
  if (!text && text.error().code != 0 && text.error().code != ENOENT) {
    return problem(text.error().text());
  }
  loaded_ = true;
  if (!text && text.error().code == ENOENT) return;
  auto kept = text ? kept_gaps_from(*text) : std::unexpected(text.error());
  if (kept) {
    gaps_ = std::move(kept->gaps);
    gaps_.resume(began, clock_.wall(), !boot_id_.empty() && kept->boot_id == boot_id_);
    return;
  }
  std::string sentence = "the idle gaps of earlier runs in " + state_dir_ + "/" + kIdleGapsFile +
                         " cannot be used and are put aside: " + kept.error().text();
  if (const auto aside = folder_->put_aside(kIdleGapsFile); !aside) {
    sentence += "; " + aside.error().text();
  }
  tell_(sentence);
}

void GapRecorder::look(BootTime now, Seconds warn, const std::vector<Observation>& all) {
  gaps_.warn = warn;
  gaps_.look(now, clock_.wall(), all);
  if (state_dir_.empty()) return;
  if (!loaded_ && now >= next_load_) load(now);
  collect();
  if (now < next_save_ || saving_.valid()) return;
  next_save_ = now + kSaveEvery;
  save();
}

void GapRecorder::save() {
  if (!loaded_) return;
  try {
    saving_ = std::async(std::launch::async,
                         [folder = folder_.get(), kept = KeptGaps{boot_id_, gaps_}]() {
                           return folder->replace(kIdleGapsFile, kept_gaps_text(kept));
                         });
  } catch (const std::system_error& e) {
    problem(e.what());
  }
}

void GapRecorder::collect() {
  if (!saving_.valid() || saving_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    return;
  }
  if (const auto saved = saving_.get()) {
    tell_("");
  } else {
    problem(saved.error().text());
  }
}

void GapRecorder::finish() {
  if (state_dir_.empty()) return;
  if (saving_.valid()) saving_.wait();  // it holds an older state
  collect();
  save();
  if (saving_.valid()) saving_.wait();
  collect();
}

}  // namespace idlewarden
