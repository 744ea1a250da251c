// How a run reads a file: in pieces, by one thread or by several, their packets judged in any order
// and counted and written in that of the file.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <new>
#include <system_error>
#include <thread>

#include "cbpf/savefile/parallel_reader.h"
#include "tools/filter/out_of_memory.h"
#include "tools/filter/run.h"

namespace weir::filter {
namespace {

constexpr auto kBetweenSignals = std::chrono::milliseconds(50);

// Pieces in hand hold so much of the file at most, once as memory of the file and once as a copy.
constexpr std::size_t kMostInHand = std::size_t{12} << 20;
constexpr std::size_t kLeastPiece = std::size_t{256} << 10;

cbpf::SavefileCut cut_for(std::size_t jobs) {
  cbpf::SavefileCut cut;
  const std::size_t share = std::max(kMostInHand / jobs, kLeastPiece) / 4096 * 4096;
  cut.most_piece = std::min(cut.most_piece, share);
  cut.least_piece = std::min(cut.least_piece, cut.most_piece);
  return cut;
}

}  // namespace

// A piece in hand, and what the filters say of its batches.
struct FilterRun::Job {
  cbpf::SavefilePiece piece;
  std::vector<Verdicts> verdicts;
  std::size_t judged = 0;  // Batches.
  Status status;           // Why not more.
};

// What the threads of one file share. Whoever has judged the piece that is the next to be committed
// commits it, and those behind it that were judged before; nobody else waits for that, as long as
// there is a job left to take.
struct FilterRun::Reading {
  FilterRun& run;
  const std::string& file;
  cbpf::SavefileParallelReader pieces;

  std::mutex mutex;
  std::condition_variable given_back;  // A job.
  std::condition_variable left;        // A thread.
  std::vector<std::unique_ptr<Job>> idle;
  std::map<std::uint64_t, std::unique_ptr<Job>> judged;  // By the number of the piece.
  std::uint64_t next = 0;
  bool committing = false;
  std::size_t working = 0;

  // Of whoever commits.
  Status result;
  std::uint64_t bytes_read = 0;
  std::atomic<bool> over = false;  // What comes is not committed any more.
  std::atomic<bool> no_memory = false;

  void work();
  void work_on();
  Status work_in_threads(std::uint32_t count);
  std::unique_ptr<Job> take_job();
  void judge(Job& job);
  void hand_in(std::unique_ptr<Job> job);
  void commit(Job& job);
};

void FilterRun::Reading::work() {
  try {
    work_on();
  } catch (const std::bad_alloc&) {
    no_memory = true;
  }
  const std::scoped_lock lock(mutex);
  if (no_memory) {  // Its job is gone, so no thread waits for one any more.
    over = true;
    given_back.notify_all();
  }
  --working;
  left.notify_one();
}

void FilterRun::Reading::work_on() {
  for (;;) {
    std::unique_ptr<Job> job = take_job();
    if (job == nullptr || over || run.finished() || !pieces.next(job->piece)) {
      break;
    }
    judge(*job);
    hand_in(std::move(job));
  }
}

std::unique_ptr<FilterRun::Job> FilterRun::Reading::take_job() {
  std::unique_lock lock(mutex);
  // Never for ever: who has the piece that all others wait for waits for nobody.
  given_back.wait(lock, [&] { return !idle.empty() || no_memory; });
  if (idle.empty()) {
    return nullptr;
  }
  std::unique_ptr<Job> job = std::move(idle.back());
  idle.pop_back();
  return job;
}

void FilterRun::Reading::judge(Job& job) {
  const auto& batches = job.piece.batches();
  job.verdicts.resize(std::max(job.verdicts.size(), batches.size()));
  job.status = {};
  for (job.judged = 0; job.judged < batches.size(); ++job.judged) {
    job.status = run.judge(batches[job.judged], file, job.verdicts[job.judged]);
    if (!job.status) {
      break;
    }
  }
}

void FilterRun::Reading::hand_in(std::unique_ptr<Job> job) {
  std::unique_lock lock(mutex);
  const std::uint64_t number = job->piece.number();
  judged.emplace(number, std::move(job));
  while (!committing && !judged.empty() && judged.begin()->first == next) {
    auto node = judged.extract(judged.begin());
    committing = true;
    lock.unlock();
    if (!over) {
      try {
        commit(*node.mapped());
      } catch (const std::bad_alloc&) {
        no_memory = over = true;
      }
    }
    lock.lock();
    committing = false;
    ++next;
    idle.push_back(std::move(node.mapped()));
    given_back.notify_one();
  }
}

void FilterRun::Reading::commit(Job& job) {
  if (auto intact = pieces.intact(); job.status && !intact) {
    job.status = std::move(intact);
    job.judged = 0;
  }
  const bool damaged = job.status && !job.piece.end();
  Status status = job.status ? job.piece.end() : job.status;
  bool failed = false;
  for (std::size_t i = 0; i < job.judged && !over; ++i) {
    if (auto done = run.commit(job.piece.batches()[i], job.verdicts[i]); !done) {
      status = std::move(done);
      failed = true;
      over = true;
    }
    if (run.ended_) {
      over = true;
      return;
    }
  }
  bytes_read = job.piece.bytes_read();
  run.progress_.update(run.bytes_before_ + bytes_read, run.totals_.packets);
  if (!status) {
    over = true;
    if (!run.stopped()) {  // Else the signal ended the waiting.
      run.input_failed_ = damaged && !failed;
      result = std::move(status);
    }
  }
}

Status FilterRun::Reading::work_in_threads(std::uint32_t count) {
  std::vector<std::thread> threads;
  threads.reserve(count);
  std::unique_lock lock(mutex);
  try {
    while (threads.size() < count) {
      threads.emplace_back([this] { work(); });
      ++working;
    }
  } catch (const std::system_error& error) {
    if (threads.empty()) {
      return fail(ErrorCode::kSystem, fmt::format("cannot begin a thread: {}", error.what()));
    }
  } catch (const std::bad_alloc&) {
    if (threads.empty()) {
      return out_of_memory();
    }
  }
  // A signal may have come to this thread while another one waits for a pipe, or is about to: it is
  // told again until it has heard.
  while (!left.wait_for(lock, kBetweenSignals, [&] { return working == 0; })) {
    if (run.stopped()) {
      for (std::thread& thread : threads) {
        ::pthread_kill(thread.native_handle(), SIGINT);
      }
    }
  }
  lock.unlock();
  for (std::thread& thread : threads) {
    thread.join();
  }
  return {};
}

Status FilterRun::read(cbpf::SavefileReader& reader, const std::string& file,
                       std::uint32_t threads) {
  // One job more than threads, so that none of them waits for a slower one at once.
  const std::size_t jobs = threads == 1 ? 1 : threads + 1;
  Reading reading{.run = *this,
                  .file = file,
                  .pieces = cbpf::SavefileParallelReader(reader, &guard_, cut_for(jobs))};
  reading.idle.reserve(jobs);
  while (reading.idle.size() < jobs) {
    reading.idle.push_back(std::make_unique<Job>());
  }
  Status status;
  if (threads == 1) {
    reading.working = 1;
    reading.work();
  } else {
    status = reading.work_in_threads(threads);
  }
  bytes_before_ += reading.bytes_read;
  if (reading.no_memory && status && reading.result) {
    return out_of_memory();
  }
  return status ? reading.result : status;
}

}  // namespace weir::filter
