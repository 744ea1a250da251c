// The option structures of libbpf and libxdp. Private to this folder.
#pragma once

namespace weir::xdp {

// All zero but its own size, as the libraries want it. (Their own macros need extensions of C.)
template <typename Options>
Options make_options() {
  Options options{};
  options.sz = sizeof(Options);
  return options;
}

}  // namespace weir::xdp
