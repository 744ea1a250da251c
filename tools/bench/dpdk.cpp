#include "tools/bench/dpdk.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tools/bench/measure/bounded_child.h"
#include "tools/dpdk/module.h"

namespace weir::bench {
namespace {

namespace fs = std::filesystem;

// Empty when it is nowhere.
fs::path module_path() {
  std::error_code error;
  const fs::path binary = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& folder : {binary.parent_path(), fs::path(WEIR_MODULE_DIR)}) {
    if (fs::exists(folder / dpdk::kModuleFile, error)) {
      return folder / dpdk::kModuleFile;
    }
  }
  return {};
}

// Stays loaded: DPDK's libraries do not come out of a process again.
Result<const dpdk::Module*> load_module() {
  const fs::path path = module_path();
  if (path.empty()) {
    return fail(ErrorCode::kUnsupported, "weir was built without DPDK");
  }
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = module == nullptr ? nullptr : dlsym(module, dpdk::kModuleSymbol);
  if (symbol == nullptr) {
    return fail(ErrorCode::kUnsupported, std::string("DPDK does not load: ") + dlerror());
  }
  return reinterpret_cast<const dpdk::Module* (*)()>(symbol)();
}

bool reads_length(const cbpf::Program& program) {
  return std::any_of(program.instructions.begin(), program.instructions.end(),
                     [](const cbpf::Instruction& instruction) {
                       const std::uint16_t of = cbpf::class_of(instruction.code);
                       return (of == cbpf::kLd || of == cbpf::kLdx) &&
                              cbpf::mode_of(instruction.code) == cbpf::kLen;
                     });
}

class DpdkMachine : public engine::Prepared {
 public:
  DpdkMachine(const dpdk::Module& module, dpdk::Loaded* program, bool native, bool reads_length)
      : module_(module), program_(program), native_(native), reads_length_(reads_length) {}
  DpdkMachine(const DpdkMachine&) = delete;
  DpdkMachine& operator=(const DpdkMachine&) = delete;
  ~DpdkMachine() override { module_.unload(program_); }

  // A buffer has one length; a packet that was cut has two.
  bool can_run(const cbpf::Packet& packet) const override {
    return packet.captured.size() <= dpdk::kLongestPacket &&
           (!reads_length_ || packet.captured.size() == packet.wire_length);
  }

  Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) override {
    module_.run(*program_, native_, packets, results);
    return {};
  }

  engine::Footprint footprint() const override {
    const dpdk::Size size = module_.size(*program_);
    return {size.instructions, native_ ? size.native_bytes : 0};
  }

 private:
  const dpdk::Module& module_;
  dpdk::Loaded* program_;
  bool native_;
  bool reads_length_;
};

// Translated and once loaded in another process: DPDK's environment stays out of this one, and so
// do a check without an end and a crash. The first byte says whether it went well; then comes what
// load() takes, or why not.
Result<std::vector<std::uint8_t>> translate(const dpdk::Module& module,
                                            const cbpf::Program& program, std::uint32_t seconds) {
  auto answer = run_bounded(seconds, [&] {
    std::vector<std::uint8_t> out{1};
    auto translated = module.translate(program.instructions);
    if (translated) {
      if (auto loaded = module.load(*translated); !loaded) {
        translated = tl::make_unexpected(loaded.error());
      }
    }
    if (translated) {
      out.insert(out.end(), translated->begin(), translated->end());
    } else {
      out[0] = 0;
      out.insert(out.end(), translated.error().message.begin(), translated.error().message.end());
    }
    return out;
  });
  if (!answer) {
    return fail(ErrorCode::kUnsupported, "DPDK's translation: " + answer.error().message);
  }
  if (answer->empty() || answer->front() == 0) {
    return fail(ErrorCode::kUnsupported,
                std::string(answer->begin() + (answer->empty() ? 0 : 1), answer->end()));
  }
  answer->erase(answer->begin());
  return answer;
}

}  // namespace

bool dpdk_is_built() { return !module_path().empty(); }

Result<std::unique_ptr<engine::Prepared>> prepare_dpdk(const cbpf::Program& program, bool native,
                                                       std::uint32_t seconds) {
  const auto module = load_module();
  if (!module) {
    return tl::make_unexpected(module.error());
  }
  const auto translated = translate(**module, program, seconds);
  if (!translated) {
    return tl::make_unexpected(translated.error());
  }
  const auto loaded = (*module)->load(*translated);
  if (!loaded) {
    return tl::make_unexpected(loaded.error());
  }
  auto machine = std::make_unique<DpdkMachine>(**module, *loaded, native, reads_length(program));
  if (native && machine->footprint().native_bytes == 0) {
    return fail(ErrorCode::kUnsupported, "DPDK makes no native code of it");
  }
  return machine;
}

std::vector<Peer> dpdk_peers(const Result<cbpf::Program>& optimised, std::uint32_t seconds) {
  if (!dpdk_is_built()) {
    return {};
  }
  std::vector<Peer> rows;
  for (const bool native : {false, true}) {
    Peer peer{
        .name = native ? "dpdk-jit-O" : "dpdk-interpreter-O",
        .runs = native ? engine::EngineId::kExtendedJit : engine::EngineId::kExtendedInterpreter};
    if (optimised) {
      peer.program = *optimised;
      peer.machine = [program = *optimised, native, seconds] {
        return prepare_dpdk(program, native, seconds);
      };
    } else {
      peer.skipped = to_string(optimised.error());
    }
    rows.push_back(std::move(peer));
  }
  return rows;
}

}  // namespace weir::bench
