#include "tools/dpdk/module.h"

#include <pcap/pcap.h>
#include <rte_bpf.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>

namespace weir::dpdk {

// The buffers of a burst are filled as a driver fills them, and stay in the nearest cache.
class Loaded {
 public:
  Loaded(rte_bpf* program, std::uint32_t instructions) : program_(program) {
    size_.instructions = instructions;
    rte_bpf_jit native{};
    if (rte_bpf_get_jit(program, &native) == 0 && native.func != nullptr) {
      native_ = native.func;
      size_.native_bytes = static_cast<std::uint32_t>(native.sz);
    }
    for (std::size_t i = 0; i < kBurst; ++i) {
      std::memset(&buffers_[i], 0, sizeof buffers_[i]);
      buffers_[i].nb_segs = 1;
      contexts_[i] = &buffers_[i];
    }
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() { rte_bpf_destroy(program_); }

  Size size() const { return size_; }

  void run(bool native, std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) {
    std::array<std::uint64_t, kBurst> answers{};
    for (std::size_t at = 0; at < packets.size(); at += kBurst) {
      const std::size_t count = std::min(kBurst, packets.size() - at);
      for (std::size_t i = 0; i < count; ++i) {
        show(packets[at + i].captured, buffers_[i]);
      }
      if (native) {
        for (std::size_t i = 0; i < count; ++i) {
          answers[i] = native_(contexts_[i]);
        }
      } else {
        rte_bpf_exec_burst(program_, contexts_.data(), answers.data(),
                           static_cast<std::uint32_t>(count));
      }
      for (std::size_t i = 0; i < count; ++i) {
        results[at + i] =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(answers[i], UINT32_MAX));
      }
    }
  }

 private:
  static constexpr std::size_t kBurst = 32;  // As many as applications take from a queue at once.

  static void show(Bytes bytes, rte_mbuf& buffer) {
    buffer.buf_addr = const_cast<std::uint8_t*>(bytes.data());
    buffer.data_len = static_cast<std::uint16_t>(bytes.size());
    buffer.pkt_len = static_cast<std::uint32_t>(bytes.size());
  }

  rte_bpf* program_;
  std::uint64_t (*native_)(void*) = nullptr;
  Size size_;
  std::array<rte_mbuf, kBurst> buffers_;
  std::array<void*, kBurst> contexts_{};
};

namespace {

tl::unexpected<Error> refused(const char* what) {
  return fail(ErrorCode::kUnsupported,
              std::string("DPDK's ") + what + " refuses: " + rte_strerror(rte_errno));
}

// Its folder for files that other processes find, which nobody shall; EAL makes it all the same.
void remove_runtime_folder() {
  const std::string folder = rte_eal_get_runtime_dir();
  rmdir(folder.c_str());
  rmdir(folder.substr(0, folder.rfind('/')).c_str());  // Stays where others have theirs in it.
}

Status start_environment() {
  std::string cpu = "0@" + std::to_string(std::max(0, sched_getcpu()));
  std::string prefix = "weir" + std::to_string(getpid());
  std::array<std::string, 12> words = {
      "weir",     "--no-huge", "-m",          "64", "--no-pci",       "--no-shconf",
      "--lcores", cpu,         "--log-level", "1",  "--no-telemetry", "--file-prefix=" + prefix};
  std::array<char*, words.size()> arguments{};
  std::transform(words.begin(), words.end(), arguments.begin(),
                 [](std::string& word) { return word.data(); });
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
    return refused("environment");
  }
  remove_runtime_folder();
  return {};
}

Result<std::vector<std::uint8_t>> translate(std::span<const cbpf::Instruction> program) {
  if (auto started = start_environment(); !started) {
    return tl::make_unexpected(started.error());
  }
  std::vector<bpf_insn> instructions;
  instructions.reserve(program.size());
  for (const cbpf::Instruction& instruction : program) {
    instructions.push_back({instruction.code, instruction.jt, instruction.jf, instruction.k});
  }
  const bpf_program classic{static_cast<u_int>(instructions.size()), instructions.data()};
  rte_bpf_prm* made = rte_bpf_convert(&classic);
  if (made == nullptr) {
    return refused("translator");
  }
  std::vector<std::uint8_t> out(sizeof made->prog_arg + made->nb_ins * sizeof(ebpf_insn));
  std::memcpy(out.data(), &made->prog_arg, sizeof made->prog_arg);
  std::memcpy(out.data() + sizeof made->prog_arg, made->ins, made->nb_ins * sizeof(ebpf_insn));
  rte_free(made);
  return out;
}

Result<Loaded*> load(std::span<const std::uint8_t> translated) {
  rte_bpf_prm parameters{};
  std::memcpy(&parameters.prog_arg, translated.data(), sizeof parameters.prog_arg);
  const auto code = translated.subspan(sizeof parameters.prog_arg);
  std::vector<ebpf_insn> instructions(code.size() / sizeof(ebpf_insn));
  std::memcpy(instructions.data(), code.data(), code.size());
  parameters.ins = instructions.data();
  parameters.nb_ins = static_cast<std::uint32_t>(instructions.size());
  rte_log_set_global_level(RTE_LOG_EMERG);  // A refusal is told by its caller.
  rte_bpf* program = rte_bpf_load(&parameters);
  if (program == nullptr) {
    return refused("check of programs");
  }
  return new Loaded(program, parameters.nb_ins);
}

void unload(Loaded* program) { delete program; }

Size size(const Loaded& program) { return program.size(); }

void run(Loaded& program, bool native, std::span<const cbpf::Packet> packets,
         std::span<std::uint32_t> results) {
  program.run(native, packets, results);
}

constexpr Module kModule{translate, load, unload, size, run};

}  // namespace

extern "C" __attribute__((visibility("default"))) const Module* weir_dpdk_module() {
  return &kModule;
}

}  // namespace weir::dpdk
