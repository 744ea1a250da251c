// What attaching gives: a link between a program and a hook that undoes itself.
#pragma once

#include <functional>
#include <utility>

#include "cbpf/base/result.h"

namespace weir::xdp {

// Holds one attachment. At the end of its life the attachment is undone, unless it was released.
// A function that fails half way therefore leaves nothing behind: its links end with it.
class Link {
 public:
  // `undo` is called at most once, and must not mind that the attachment is already gone.
  using Undo = std::function<Status()>;

  Link() = default;
  explicit Link(Undo undo) : undo_(std::move(undo)) {}
  Link(Link&& other) noexcept : undo_(std::exchange(other.undo_, nullptr)) {}
  Link& operator=(Link&& other) noexcept {
    if (this != &other) {
      static_cast<void>(detach());
      undo_ = std::exchange(other.undo_, nullptr);
    }
    return *this;
  }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { static_cast<void>(detach()); }

  bool attached() const { return undo_ != nullptr; }

  // Undoes now and tells how it went; a second call does nothing.
  Status detach() {
    const Undo undo = std::exchange(undo_, nullptr);
    return undo ? undo() : Status{};
  }

  // Leaves the attachment standing, also after the process has gone (where the hook allows that).
  void release() { undo_ = nullptr; }

 private:
  Undo undo_;
};

}  // namespace weir::xdp
