// The memory of the test device, and what its kernels may do with it. README: docs/architecture.md, "The test device".
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/Device.h>

namespace testdevice {

inline c10::Device device() { return {c10::DeviceType::PrivateUse1, 0}; }

c10::Allocator *allocator();

// on_host is the address at which a kernel finds what lies at an address of the device.
void *on_host(const void *address);

}  // namespace testdevice
