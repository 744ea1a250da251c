#include "xdp/hooks/dispatcher.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "xdp/hooks/dispatcher_pins.h"
#include "xdp/hooks/stub_object.h"
#include "xdp/kernel/bpf_insn.h"
#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/errors.h"
#include "xdp/kernel/inspect.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/libbpf_options.h"

namespace weir::xdp {
namespace {

constexpr int kMostEntries = 10;  // Of a dispatcher.
// The name under which the kernel knows the dispatcher itself.
constexpr char kDispatcherName[] = "xdp_dispatcher";

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
struct CloseProgram {
  void operator()(xdp_program* program) const { xdp_program__close(program); }
};
struct CloseMultiprog {
  void operator()(xdp_multiprog* programs) const { xdp_multiprog__close(programs); }
};
using Object = std::unique_ptr<bpf_object, CloseObject>;
using Program = std::unique_ptr<xdp_program, CloseProgram>;
using Multiprog = std::unique_ptr<xdp_multiprog, CloseMultiprog>;

// Both libraries give an error in place of a pointer.
template <typename Pointer>
int error_of(const Pointer& pointer) {
  return static_cast<int>(-libxdp_get_error(pointer.get()));
}

xdp_attach_mode mode_of(XdpMode mode) {
  return mode == XdpMode::kNative ? XDP_MODE_NATIVE : XDP_MODE_SKB;
}

tl::unexpected<Error> dispatcher_error(const std::string& what, int number) {
  if (number == EPERM) {
    return tl::make_unexpected(
        missing_privilege(what, {Capability::kNetAdmin, Capability::kSysAdmin}));
  }
  if (number == ENOENT) {
    return fail(ErrorCode::kUnsupported, "libxdp's dispatcher (xdp-dispatcher.o) is not installed");
  }
  Error error = system_error(what, number);
  if (number == EBUSY || number == EEXIST) {
    error.code = ErrorCode::kBusy;
  }
  // What a driver refuses (MTU, queues) it refuses a program alone as well, in words of its own.
  if (number == ERANGE || number == E2BIG || number == ENOSPC || number == EOPNOTSUPP) {
    error.code = ErrorCode::kUnsupported;
  }
  return tl::make_unexpected(std::move(error));
}

// The dispatcher of the interface; empty when something else or nothing stands there. Owns.
Multiprog dispatcher_of(std::uint32_t interface) {
  const auto attached = attached_xdp(interface);
  if (!attached || !is_dispatcher(attached->native_program != 0 ? attached->native_program
                                                                : attached->generic_program)) {
    return nullptr;
  }
  Multiprog programs(xdp_multiprog__get_from_ifindex(static_cast<int>(interface)));
  if (error_of(programs) != 0) {
    static_cast<void>(programs.release());
    return nullptr;
  }
  if (programs != nullptr && xdp_multiprog__is_legacy(programs.get())) {
    return nullptr;
  }
  return programs;
}

// The program, and before it one load for each map that it does not name: so the kernel knows them
// from the start, as no map can be bound between libxdp's loading and attaching. r0 holds nothing
// when a program begins.
std::vector<ebpf::Instruction> naming_its_maps(const LoadedProgram& program) {
  std::vector<ebpf::Instruction> all;
  for (const int map : program.bound_maps()) {
    all.push_back(ebpf::LoadImm64{.kind = ebpf::Imm64Kind::kMapFd,
                                  .dst = ebpf::Reg::kR0,
                                  .value = static_cast<std::uint32_t>(map)});
  }
  all.insert(all.end(), program.instructions().begin(), program.instructions().end());
  return all;
}

// The object of the stub, with the real instructions in it.
Result<Object> object_of(const LoadedProgram& program) {
  const std::string& name = program.info().name;
  const auto elf = stub_object(name);
  if (!elf) {
    return tl::make_unexpected(elf.error());
  }
  auto options = make_options<bpf_object_open_opts>();
  options.object_name = name.c_str();
  Object object(bpf_object__open_mem(elf->data(), elf->size(), &options));
  if (object == nullptr) {
    return dispatcher_error("opening the stub of a program", errno);
  }
  std::vector<bpf_insn> wire = wire_instructions<bpf_insn>(naming_its_maps(program));
  bpf_program* stub = bpf_object__next_program(object.get(), nullptr);
  const int error = bpf_program__set_insns(stub, wire.data(), wire.size());
  if (error != 0) {
    return dispatcher_error("giving the stub its instructions", -error);
  }
  return object;
}

}  // namespace

bool is_dispatcher(std::uint32_t program_id) {
  const auto program = open_program(program_id);
  const auto info = program ? program_info(program->get()) : tl::make_unexpected(program.error());
  if (!info || info->name != kDispatcherName || info->map_ids.empty()) {
    return false;
  }
  return std::all_of(info->map_ids.begin(), info->map_ids.end(), [](std::uint32_t id) {
    const auto map = open_map(id);
    const auto of_map = map ? map_info(map->get()) : tl::make_unexpected(map.error());
    return of_map && of_map->type == BPF_MAP_TYPE_ARRAY && of_map->key_size == sizeof(id) &&
           of_map->entries == 1;
  });
}

std::string why_no_dispatcher() {
  silence_libbpf();
  if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, nullptr) != 1) {
    return "the kernel has no program extensions (BPF_PROG_TYPE_EXT)";
  }
  // libxdp keeps the parts of a dispatcher there.
  if (!is_bpffs(bpffs())) {
    return fmt::format("no bpffs is mounted at {}", bpffs());
  }
  // It opens programs and their types by id.
  if (!has_capability(Capability::kSysAdmin)) {
    return "libxdp's dispatcher needs CAP_SYS_ADMIN, which this process lacks";
  }
  return {};
}

Result<DispatcherEntry> add_to_dispatcher(std::uint32_t interface, XdpMode mode,
                                          const LoadedProgram& program) {
  silence_libbpf();
  const auto object = object_of(program);
  if (!object) {
    return tl::make_unexpected(object.error());
  }
  auto options = make_options<xdp_program_opts>();
  options.obj = object->get();
  Program copy(xdp_program__create(&options));
  if (const int number = error_of(copy); number != 0) {
    static_cast<void>(copy.release());
    return dispatcher_error("preparing a program for the dispatcher", number);
  }
  const int error = xdp_program__attach(copy.get(), static_cast<int>(interface), mode_of(mode), 0);
  if (error != 0) {
    return dispatcher_error("attaching through libxdp's dispatcher", -error);
  }
  return DispatcherEntry{xdp_program__id(copy.get()), mode};
}

std::vector<DispatcherEntry> dispatcher_entries(std::uint32_t interface,
                                                std::uint32_t dispatcher_id, XdpMode mode) {
  // The places are part of libxdp's protocol; its own reader keeps every descriptor it opens.
  std::vector<DispatcherEntry> entries;
  for (int i = 0; i < kMostEntries; ++i) {
    const Fd program(bpf_obj_get(
        fmt::format("{}/xdp/dispatch-{}-{}/prog{}-prog", bpffs(), interface, dispatcher_id, i)
            .c_str()));
    if (!program.valid()) {
      break;
    }
    if (const auto info = program_info(program.get())) {
      entries.push_back({info->id, mode});
    }
  }
  return entries;
}

Status remove_from_dispatcher(std::uint32_t interface, const DispatcherEntry& entry) {
  silence_libbpf();
  const Multiprog programs = dispatcher_of(interface);
  if (programs == nullptr) {
    return {};
  }
  xdp_program* found = nullptr;
  for (xdp_program* program = xdp_multiprog__next_prog(nullptr, programs.get()); program != nullptr;
       program = xdp_multiprog__next_prog(program, programs.get())) {
    if (xdp_program__id(program) == entry.program_id) {
      found = program;
    }
  }
  if (found == nullptr) {
    return {};
  }
  const int error = xdp_program__detach(found, static_cast<int>(interface), mode_of(entry.mode), 0);
  if (error != 0) {
    return dispatcher_error("detaching from libxdp's dispatcher", -error);
  }
  return {};
}

}  // namespace weir::xdp
