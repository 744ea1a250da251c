// Numbered turns: what threads do in an order that was given out before.
#pragma once

#include <atomic>
#include <cstdint>

namespace weir {

// Who has number n waits until all numbers before it have been passed on. Every number that was
// given out has to be waited for and passed on, in whatever way the work in between ended.
class Sequencer {
 public:
  void wait(std::uint64_t number) const {
    for (;;) {
      const std::uint64_t now = now_.load(std::memory_order_acquire);
      if (now == number) {
        return;
      }
      now_.wait(now, std::memory_order_acquire);
    }
  }

  // Gives the turn to the next number. What was done before is seen by whoever has it.
  void pass() {
    now_.fetch_add(1, std::memory_order_release);
    now_.notify_all();
  }

 private:
  std::atomic<std::uint64_t> now_{0};
};

// Has its turn while it lives.
class Turn {
 public:
  Turn(Sequencer& turns, std::uint64_t number) : turns_(turns) { turns.wait(number); }
  ~Turn() { turns_.pass(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Sequencer& turns_;
};

}  // namespace weir
