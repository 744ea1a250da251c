// Signals while a run reads and writes, as tcpdump takes them: SIGINT, SIGTERM and SIGHUP end it
// well instead of at once, SIGUSR1 prints the counts. While a filter is compiled they end the
// process, once what was written is whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

namespace weir::filter {

// Catches the signals while it lives and restores the handlers it found; SIGHUP stays ignored where
// it was (nohup). One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Whether one of the three that end the run has come. Thread-safe. System calls that wait return
  // with EINTR when it does, in the thread that the signal comes to.
  static bool requested();
  // Whether one of these objects lives.
  static bool active();

  // The signal that ended a piece of work (unless_stopped()); 0 when none did.
  static int broke_off();

  // The counts that SIGUSR1 prints from now on. Thread-safe.
  void report(std::uint64_t packets, std::uint64_t matched);

 private:
  template <typename Work>
  friend auto unless_stopped(Work work) -> std::optional<std::invoke_result_t<Work>>;
  static void break_off();
  static std::thread start(const std::shared_ptr<std::packaged_task<void()>>& task);
};

// Does work that cannot be interrupted and may take long, such as compiling an expression. Nothing
// when a signal that ends the run comes first, or came before: the work is then left alone, in a
// thread of its own that ends with the process, so it must own all it uses. Without StopSignals the
// signals end the process anyhow, and the work is done here. What the work throws is thrown.
template <typename Work>
auto unless_stopped(Work work) -> std::optional<std::invoke_result_t<Work>> {
  using Answer = std::invoke_result_t<Work>;
  if (!StopSignals::active()) {
    return work();
  }
  if (StopSignals::requested()) {
    return std::nullopt;
  }
  const auto answer = std::make_shared<std::optional<Answer>>();
  const auto task = std::make_shared<std::packaged_task<void()>>(
      [answer, work = std::move(work)] { answer->emplace(work()); });
  std::future<void> done = task->get_future();
  std::thread thread = StopSignals::start(task);
  constexpr auto kBetweenLooks = std::chrono::milliseconds(20);
  while (done.wait_for(kBetweenLooks) != std::future_status::ready) {
    if (StopSignals::requested()) {
      StopSignals::break_off();
      thread.detach();
      return std::nullopt;
    }
  }
  if (thread.joinable()) {
    thread.join();
  }
  done.get();
  return std::move(*answer);
}

}  // namespace weir::filter
