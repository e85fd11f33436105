// SPDX-License-Identifier: Apache-2.0
// Functions: what is defined, called, and local to them.
#include <utility>

#include "limits/shell_interpreter.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMaxBodies = 8;

}  // namespace

void Interpreter::define(const Command& command) {
  Function& function = functions_[command.name];
  // Where it is not known whether this definition is reached, an earlier one may still hold.
  if (doubts_ == 0) {
    function.bodies.clear();
    function.certain = true;
  }
  if (function.bodies.size() >= kMaxBodies) return;
  const Frame& frame = *frames_.back();
  // Not a copy, but a share in the whole that it stands in.
  function.bodies.push_back({std::shared_ptr<const Command>(frame.whole, &command.children.front()),
                             frame.file, command.keyword});
}

Tri Interpreter::call(Function& function, State& state) {
  if (!state.alive || frames_.size() >= kMaxFrames) return Tri::unknown;
  function.called = true;
  const std::vector<Body> bodies = function.bodies;
  const bool certain = function.certain;
  std::optional<Doubt> doubt;
  if (!certain || bodies.size() > 1) doubt.emplace(doubts_);
  if (certain && bodies.size() == 1) return call_body(bodies.front(), state);
  std::optional<State> after;
  bool all = certain;
  for (const Body& body : bodies) {
    auto way = fork(state, budget());
    all = all && way;
    if (!way) break;
    call_body(body, *way);
    join(after, *way);
  }
  if (all && after) {
    state = std::move(*after);
  } else if (after) {
    state.join(*after);
  }
  return Tri::unknown;
}

Tri Interpreter::call_body(const Body& body, State& state) {
  frames_.push_back(std::make_unique<Frame>());
  frames_.back()->file = body.file;
  frames_.back()->whole = body.command;
  frames_.back()->is_function = true;
  frames_.back()->doubts = doubts_;
  frames_.back()->keyword = body.keyword;
  // ksh93 gives a `function` its own copy of TMOUT.
  if (dialect_ == Dialect::ksh93 && body.keyword) {
    frames_.back()->outer.emplace(kWatched, Hidden{state.get(kWatched), false});
  }
  std::vector<Loop*> outside = std::exchange(loops_, {});
  Tri status = run(*body.command, state);
  loops_ = std::move(outside);
  const std::unique_ptr<Frame> frame = std::move(frames_.back());
  frames_.pop_back();
  if (frame->returned) {
    status = state.alive ? either(status, frame->status) : frame->status;
    frame->returned->join(state);
    state = std::move(*frame->returned);
  }
  restore(state, *frame);
  if (frame->discarded) {
    restore(*frame->discarded, *frame);
    join(frames_.back()->discarded, *frame->discarded);
  }
  return status;
}

void Interpreter::hide(State& state, const std::string& name) {
  if (!state.alive) return;
  for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
    if (!(*frame)->is_function) continue;
    // In ksh93 name() is no scope of its own; `function name` is.
    if (dialect_ == Dialect::ksh93 && !(*frame)->keyword) return;
    if (state.get(name).readonly != Tri::yes && budget().spend(weight(state.get(name).values))) {
      (*frame)->outer.try_emplace(name, Hidden{state.get(name), doubts_ > (*frame)->doubts});
      state.at(name) = Variable{};
    }
    return;
  }
}

// What `local` hid comes back at the end of the function.
void Interpreter::restore(State& state, const Frame& frame) const {
  for (const auto& [name, hidden] : frame.outer) {
    Variable& variable = state.at(name);
    if (hidden.perhaps) {
      unite(variable.values, hidden.variable.values);
      variable.readonly = either(variable.readonly, hidden.variable.readonly);
    } else {
      variable = hidden.variable;
    }
  }
}

void Interpreter::run_uncalled_functions(State& state) {
  for (auto& [name, function] : functions_) {
    if (function.called || function.bodies.empty()) continue;
    const auto& file = function.bodies.back().file;
    if (file->users_own || !file->text.contains(kWatched)) continue;
    const auto without = fork(state, budget());
    if (!without) return;
    frames_.push_back(std::make_unique<Frame>());
    frames_.back()->file = file;
    call(function, state);
    frames_.pop_back();
    state.join(*without);
  }
}

}  // namespace idlewarden::shell
