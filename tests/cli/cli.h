// Runs the command as a user does and gives back what it said.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace weir::cli {

// The command as a shell reads it, whatever folder it was built in.
inline constexpr char kWeirInShell[] = "'" WEIR_BINARY "'";

struct Answer {
  int status = -1;  // Exit status; 128 + the signal's number when one ended it.
  std::string out;
  std::string err;
  long most_memory = 0;  // Resident at once, in KiB.
};

// Runs build/…/bin/weir with these arguments and this standard input.
Answer weir(const std::vector<std::string>& arguments, const std::string& input = {});

// A folder of one's own, gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // Writes a file there and gives its path.
  std::string file(const std::string& name, const std::string& contents) const;
  // The names of the files in it, sorted.
  std::vector<std::string> names() const;

 private:
  std::filesystem::path folder_;
};

std::string read_file(const std::string& path);

// The command while it runs, its standard input a pipe that this end holds.
class RunningWeir {
 public:
  explicit RunningWeir(const std::vector<std::string>& arguments);
  ~RunningWeir();
  RunningWeir(const RunningWeir&) = delete;
  RunningWeir& operator=(const RunningWeir&) = delete;

  void write(const std::string& input) const;
  void close_input();
  // Waits until the file at `path` has so many bytes; false after ten seconds.
  static bool wait_for_size(const std::string& path, std::size_t size);
  // Waits until it has taken so much CPU time; false after ten seconds.
  bool wait_for_cpu_seconds(double seconds) const;
  void signal(int number) const;
  // Waits for its end. The pipe stays open until then, unless it was closed.
  Answer wait();

 private:
  TemporaryFolder folder_;
  int pid_ = 0;
  int input_ = -1;
};

}  // namespace weir::cli
