// Whole commands: `weir filter` beside tcpdump on a savefile, and beside `cp`.
//
//   weir_bench_filter FILE [ROUNDS]
//
// FILE is one of weir_make_savefile; 10 million packets are a good size, if they fit into memory
// twice. It is locked there as the page cache has it. Each command runs once for its count of
// packets that match, which has to be the same, and then once in each round, the commands of a
// filter one behind the other in turning order. Printed are CPU nanoseconds a packet, user and
// system, from beginning to end of the process; how many times less than tcpdump's that is, and for
// two threads how many times sooner it ends: medians of the rounds, with the least and the most;
// and the memory that was taken at most.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cbpf/base/fd.h"
#include "tools/bench/growth.h"
#include "tools/bench/measure/statistics.h"
#include "tools/bench/number.h"

namespace weir::bench {
namespace {

namespace fs = std::filesystem;

using Command = std::vector<std::string>;

struct Cost {
  double cpu_ns = 0;
  double wall_ns = 0;
  double mebibytes = 0;
};

double nanoseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
}

// Runs the command, its output going to the file. Nothing when it cannot run or fails.
std::optional<Cost> run(const Command& command, const std::string& output) {
  std::vector<char*> argv;
  for (const std::string& argument : command) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  const auto begin = std::chrono::steady_clock::now();
  pid_t pid = 0;
  const int spawned = posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  int status = 0;
  rusage used{};
  if (spawned != 0 || ::wait4(pid, &status, 0, &used) != pid || status != 0) {
    return std::nullopt;
  }
  const std::chrono::duration<double, std::nano> wall = std::chrono::steady_clock::now() - begin;
  return Cost{.cpu_ns = nanoseconds(used.ru_utime) + nanoseconds(used.ru_stime),
              .wall_ns = wall.count(),
              .mebibytes = static_cast<double>(used.ru_maxrss) / 1024};
}

std::string to_text(const Spread& spread) {
  return fmt::format("{:.1f} ({:.1f} to {:.1f})", spread.median, spread.min, spread.max);
}

// The savefile, held in memory as long as this lives: by a process of its own, for the commands
// begin with the memory of this one, and would count it as theirs.
class LockedFile {
 public:
  explicit LockedFile(const std::string& path) : size_(fs::file_size(path)) {
    std::array<int, 2> ready{};
    if (::pipe2(ready.data(), O_CLOEXEC) != 0) {
      return;
    }
    const Fd told(ready[0]);
    Fd telling(ready[1]);
    holder_ = ::fork();
    if (holder_ == 0) {
      hold(path, telling.get());
    }
    telling.reset();
    char answer = 0;
    locked_ = ::read(told.get(), &answer, 1) == 1;
  }
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;
  ~LockedFile() {
    if (holder_ > 0) {
      ::kill(holder_, SIGKILL);
      ::waitpid(holder_, nullptr, 0);
    }
  }
  bool locked() const { return locked_; }
  std::size_t size() const { return size_; }

 private:
  [[noreturn]] void hold(const std::string& path, int telling) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const void* const address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (address == MAP_FAILED || ::mlock(address, size_) != 0 || ::write(telling, "+", 1) != 1) {
      ::_exit(1);
    }
    for (;;) {
      ::pause();
    }
  }

  std::size_t size_ = 0;
  pid_t holder_ = -1;
  bool locked_ = false;
};

class Comparison {
 public:
  Comparison(std::string file, std::string folder, std::uint64_t rounds)
      : file_(std::move(file)), folder_(std::move(folder)), rounds_(rounds) {}

  // How many packets the file has.
  bool begin() {
    write_expression("greater 0");
    const auto all = count(weir({"--count"}));
    packets_ = static_cast<double>(all.value_or(0));
    return packets_ > 0;
  }
  double packets() const { return packets_; }

  // One line: the filter with every command. tcpdump does not take every list.
  bool add(const std::string& name, const std::string& expression, bool with_tcpdump) {
    write_expression(expression);
    const auto matches = count(weir({"--count"}));
    if (!matches || (with_tcpdump && count(tcpdump({"--count"})) != matches)) {
      fmt::print(stderr, "weir_bench_filter: {}: the counts of what matches differ\n", name);
      return false;
    }
    std::vector<Command> commands = {weir({"-w", "/dev/null"}),
                                     weir({"-w", "/dev/null", "--engine", "extended-interpreter"}),
                                     weir({"-w", "/dev/null", "--threads", "2"})};
    if (with_tcpdump) {
      commands.push_back(tcpdump({"-w", "/dev/null"}));
    }
    const auto costs = run_rounds(commands, "/dev/null");
    if (!costs) {
      return false;
    }
    const auto& [one, interpreter, two] = std::tie((*costs)[0], (*costs)[1], (*costs)[2]);
    fmt::print("{:<30} {:>8} {:>8.1f} ", name,
               with_tcpdump ? fmt::format("{:.0f}", median_cpu(costs->back())) : "",
               median_cpu(one));
    if (with_tcpdump) {
      const std::vector<Cost>& other = costs->back();
      fmt::print("{:>20} {:>20} {:>20} ", to_text(ratios(other, one, &Cost::cpu_ns)),
                 to_text(ratios(other, interpreter, &Cost::cpu_ns)),
                 to_text(ratios(other, two, &Cost::wall_ns)));
    } else {
      fmt::print("{:>20} {:>20} {:>20} ", "", "", "");
    }
    fmt::print("{:>5.0f} {:>5.0f}\n", most_mebibytes(one), most_mebibytes(two));
    std::fflush(stdout);
    return true;
  }

  // Everything matches, and is copied to a file system in memory; cp does the same.
  bool add_copy(const std::string& to) {
    write_expression("greater 0");
    const std::string copy = to + "/weir_bench_filter.copy";
    // Memory that was long unused is slower to come by, most of all in a virtual machine.
    run({"cp", file_, copy}, "/dev/null");
    fs::remove(copy);
    const auto costs = run_rounds({weir({"-w", copy}), {"cp", file_, copy}}, "/dev/null", copy);
    fs::remove(copy);
    if (costs) {
      fmt::print("everything, to {}: {} of the time of cp\n", to,
                 to_text(ratios((*costs)[0], (*costs)[1], &Cost::wall_ns)));
    }
    return costs.has_value();
  }

 private:
  std::string expression_file() const { return folder_ + "/expression"; }
  void write_expression(const std::string& expression) const {
    std::ofstream(expression_file()) << expression << '\n';
  }
  Command weir(const std::vector<std::string>& options) const {
    return with(WEIR_BINARY, {"filter", "-r", file_, "-F", expression_file()}, options);
  }
  Command tcpdump(const std::vector<std::string>& options) const {
    return with("tcpdump", {"-r", file_, "-F", expression_file()}, options);
  }
  static Command with(const std::string& name, const Command& first, const Command& rest) {
    Command command = {name};
    command.insert(command.end(), first.begin(), first.end());
    command.insert(command.end(), rest.begin(), rest.end());
    return command;
  }

  // The number that the command prints first.
  std::optional<std::uint64_t> count(const Command& command) const {
    const std::string output = folder_ + "/count";
    std::uint64_t number = 0;
    if (!run(command, output) || !(std::ifstream(output) >> number)) {
      fmt::print(stderr, "weir_bench_filter: {} does not run\n", fmt::join(command, " "));
      return std::nullopt;
    }
    return number;
  }

  // The costs of each command, by round. What a command has made is taken away behind it.
  std::optional<std::vector<std::vector<Cost>>> run_rounds(const std::vector<Command>& commands,
                                                           const std::string& output,
                                                           const std::string& made = {}) const {
    std::vector<std::vector<Cost>> costs(commands.size());
    for (std::uint64_t round = 0; round < rounds_; ++round) {
      for (std::size_t i = 0; i < commands.size(); ++i) {
        const std::size_t turn = (i + round) % commands.size();
        const auto cost = run(commands[turn], output);
        if (!made.empty()) {
          fs::remove(made);
        }
        if (!cost) {
          fmt::print(stderr, "weir_bench_filter: {} failed\n", fmt::join(commands[turn], " "));
          return std::nullopt;
        }
        costs[turn].push_back(*cost);
      }
    }
    return costs;
  }

  double median_cpu(const std::vector<Cost>& costs) const {
    std::vector<double> all;
    all.reserve(costs.size());
    for (const Cost& cost : costs) {
      all.push_back(cost.cpu_ns / packets_);
    }
    return spread_of(std::move(all)).median;
  }
  static double most_mebibytes(const std::vector<Cost>& costs) {
    double most = 0;
    for (const Cost& cost : costs) {
      most = std::max(most, cost.mebibytes);
    }
    return most;
  }
  static Spread ratios(const std::vector<Cost>& above, const std::vector<Cost>& below,
                       double Cost::*what) {
    std::vector<double> all;
    all.reserve(above.size());
    for (std::size_t i = 0; i < above.size(); ++i) {
      all.push_back(above[i].*what / below[i].*what);
    }
    return spread_of(std::move(all));
  }

  std::string file_;
  std::string folder_;
  std::uint64_t rounds_;
  double packets_ = 0;
};

bool compare(const std::string& path, const std::string& folder, std::uint64_t rounds) {
  const LockedFile file(path);
  Comparison comparison(path, folder, rounds);
  if (!comparison.begin()) {
    return false;
  }
  fmt::print("{}: {:.0f} packets, {:.1f} GB, {}; {} rounds\n\n", path, comparison.packets(),
             static_cast<double>(file.size()) / 1e9,
             file.locked() ? "locked in memory" : "NOT locked in memory, which takes root", rounds);
  fmt::print("{:<30} {:>8} {:>8} {:>20} {:>20} {:>20} {:>11}\n", "CPU ns a packet", "tcpdump",
             "weir", "times less", "with the interpreter", "two threads, sooner", "MiB 1, 2");
  constexpr std::uint64_t kSeed = 1;
  if (!comparison.add("ip", "ip", true) || !comparison.add("tcp port 80", "tcp port 80", true) ||
      !comparison.add("udp port 53 and host 10.0.0.1", "udp port 53 and host 10.0.0.1", true) ||
      !comparison.add("or of 100 hosts", list_of_hosts(100, kSeed), true) ||
      !comparison.add("or of 5,000 hosts", list_of_hosts(5000, kSeed), false)) {
    return false;
  }
  struct statvfs memory {};
  if (::statvfs("/dev/shm", &memory) != 0 ||
      static_cast<std::uint64_t>(memory.f_bavail) * memory.f_bsize < file.size()) {
    fmt::print("everything, to /dev/shm: not enough room there\n");
    return true;
  }
  return comparison.add_copy("/dev/shm");
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const auto rounds = argc > 2 ? weir::bench::number(argv[2]) : std::optional<std::uint64_t>(7);
  if (argc < 2 || argc > 3 || !rounds || *rounds == 0) {
    fmt::print(stderr, "usage: weir_bench_filter FILE [ROUNDS]\n");
    return 2;
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(argv[1], error)) {
    fmt::print(stderr, "weir_bench_filter: {}: no such file\n", argv[1]);
    return 1;
  }
  std::string folder = std::filesystem::temp_directory_path() / "weir_bench_filter.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    fmt::print(stderr, "weir_bench_filter: cannot make {}\n", folder);
    return 1;
  }
  const bool compared = weir::bench::compare(argv[1], folder, *rounds);
  std::filesystem::remove_all(folder, error);
  return compared ? 0 : 1;
}
