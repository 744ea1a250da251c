#include "tests/cli/cli.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

extern char** environ;

namespace weir::cli {

namespace {

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Starts the command with these actions on its descriptors; 0 when that fails.
pid_t start(const std::vector<std::string>& arguments, posix_spawn_file_actions_t* files) {
  std::vector<char*> argv;
  std::string name = WEIR_BINARY;
  argv.push_back(name.data());
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int spawned = posix_spawn(&pid, WEIR_BINARY, files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(files);
  if (spawned != 0) {
    ADD_FAILURE() << "cannot start " << WEIR_BINARY;
    return 0;
  }
  return pid;
}

void catch_output(const TemporaryFolder& folder, posix_spawn_file_actions_t* files) {
  posix_spawn_file_actions_addopen(files, 1, folder.path("out").c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(files, 2, folder.path("err").c_str(), O_WRONLY | O_CREAT, 0600);
}

Answer answer_of(pid_t pid, const TemporaryFolder& folder) {
  int status = 0;
  rusage used{};
  wait4(pid, &status, 0, &used);
  return {exit_status(status), read_file(folder.path("out")), read_file(folder.path("err")),
          used.ru_maxrss};
}

}  // namespace

Answer weir(const std::vector<std::string>& arguments, const std::string& input) {
  const TemporaryFolder folder;
  const std::string in = folder.file("in", input);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
  catch_output(folder, &files);
  const pid_t pid = start(arguments, &files);
  return pid == 0 ? Answer{} : answer_of(pid, folder);
}

RunningWeir::RunningWeir(const std::vector<std::string>& arguments) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[0], 0);
  catch_output(folder_, &files);
  pid_ = start(arguments, &files);
  ::close(ends[0]);
  input_ = ends[1];
}

RunningWeir::~RunningWeir() {
  if (pid_ != 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(input_);
}

void RunningWeir::write(const std::string& input) const {
  EXPECT_EQ(::write(input_, input.data(), input.size()), static_cast<ssize_t>(input.size()));
}

void RunningWeir::close_input() { ::close(std::exchange(input_, -1)); }

bool RunningWeir::wait_for_size(const std::string& path, std::size_t size) {
  for (int i = 0; i < 1000; ++i) {
    std::error_code error;
    const std::uintmax_t now = std::filesystem::file_size(path, error);
    if (!error && now >= size) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

bool RunningWeir::wait_for_cpu_seconds(double seconds) const {
  clockid_t clock = 0;
  for (int i = 0; i < 1000; ++i) {
    timespec used{};
    if (clock_getcpuclockid(pid_, &clock) == 0 && clock_gettime(clock, &used) == 0 &&
        static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9 >= seconds) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

void RunningWeir::signal(int number) const {
  if (pid_ != 0) {
    ::kill(pid_, number);
  }
}

Answer RunningWeir::wait() {
  return pid_ == 0 ? Answer{} : answer_of(std::exchange(pid_, 0), folder_);
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
  folder_ = mkdtemp(pattern.data());
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string TemporaryFolder::file(const std::string& name, const std::string& contents) const {
  std::ofstream(folder_ / name, std::ios::binary) << contents;
  return path(name);
}

std::vector<std::string> TemporaryFolder::names() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

}  // namespace weir::cli
