// What each engine's file offers to engine.cpp. Not for others.
#pragma once

#include <memory>

#include "tools/engine/engine.h"

namespace weir::engine {

using PreparedResult = Result<std::unique_ptr<Prepared>>;

PreparedResult prepare_classic_interpreter(const Filter& filter);
PreparedResult prepare_libpcap(const Filter& filter);
PreparedResult prepare_extended_interpreter(const Filter& filter);
PreparedResult prepare_extended_jit(const Filter& filter);
PreparedResult prepare_joined_interpreter(std::span<const Filter> filters, ir::JoinedResult result);
PreparedResult prepare_joined_jit(std::span<const Filter> filters, ir::JoinedResult result);
PreparedResult prepare_kernel_classic(const Filter& filter);
PreparedResult prepare_kernel_extended(EngineId id, const Filter& filter);

// kUnsupported naming the first extension the filter reads and the packets do not bring.
Status require_known_extensions(const Filter& filter);

}  // namespace weir::engine
