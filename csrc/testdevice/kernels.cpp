// The operators of the test device: libtorch's CPU kernels over the device's memory. An operator that libtorch composes
// of others is composed here as on a GPU, and device checks in it are libtorch's own.
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/autocast_mode.h>
#include <torch/library.h>

#include <unordered_map>

#include "memory.h"

namespace testdevice {

namespace {

// lending is one call of a CPU kernel: the device's tensors lent to it as CPU tensors over the same elements, and what
// it gives turned into tensors of the device again.
class lending {
 public:
  explicit lending(bool copies = false) : copies(copies) {}

  at::Tensor lend(const at::Tensor &t) {
    if (!t.defined()) return t;
    if (!t.is_privateuseone()) {
      TORCH_CHECK(t.is_cpu(), "the test device computes with nothing of ", t.device());
      foreign |= t.dim() > 0;  // numbers may stay on the CPU, as with CUDA
      return t;
    }
    any = true;
    at::StorageImpl *storage = t.storage().unsafeGetStorageImpl();
    auto [found, fresh] = storages.try_emplace(storage);
    if (fresh) {
      c10::DataPtr data(on_host(storage->mutable_data()), at::kCPU);
      found->second = c10::Storage(c10::Storage::use_byte_size_t(), storage->nbytes(), std::move(data), c10::GetAllocator(at::kCPU), /*resizable=*/true);
    }
    at::Tensor lent = at::detail::make_tensor<c10::TensorImpl>(c10::Storage(found->second), c10::DispatchKeySet(c10::DispatchKey::CPU), t.dtype());
    lent.unsafeGetTensorImpl()->set_storage_offset(t.storage_offset());
    lent.unsafeGetTensorImpl()->set_sizes_and_strides(t.sizes(), t.strides());
    if (t.unsafeGetTensorImpl()->is_wrapped_number()) lent.unsafeGetTensorImpl()->set_wrapped_number(true);
    pairs.push_back({t, lent});
    return lent;
  }

  // check refuses what a GPU would refuse.
  void check() const {
    TORCH_CHECK(copies || !any || !foreign, "Expected all tensors to be on the same device, but found at least two devices, test:0 and cpu!");
  }

  at::Tensor back(const at::Tensor &t) {
    if (!t.defined()) return t;
    for (auto &[ours, lent] : pairs) {
      if (lent.is_same(t)) return ours;
    }
    for (auto &[ours, lent] : pairs) {
      if (!t.storage().is_alias_of(lent.storage())) continue;
      at::Tensor view = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(ours.storage()), ours.key_set(), t.dtype());
      view.unsafeGetTensorImpl()->set_storage_offset(t.storage_offset());
      view.unsafeGetTensorImpl()->set_sizes_and_strides(t.sizes(), t.strides());
      return view;
    }
    at::Tensor made = empty(t.sizes(), t.strides(), t.scalar_type());
    lend(made).copy_(t);
    return made;
  }

  // finish takes over what the kernel has resized.
  void finish() {
    for (size_t i = 0; i < pairs.size(); i++) {
      auto [ours, lent] = pairs[i];
      if (lent.sizes() == ours.sizes() && lent.strides() == ours.strides() && lent.storage_offset() == ours.storage_offset() &&
          lent.storage().data() == on_host(ours.storage().data()))
        continue;
      at::Tensor made = empty(lent.sizes(), lent.strides(), lent.scalar_type());
      lending().lend(made).copy_(lent);
      at::StorageImpl *storage = ours.storage().unsafeGetStorageImpl();
      storage->set_data_ptr(std::move(made.storage().unsafeGetStorageImpl()->_mutable_data_ptr_no_checks()));
      storage->set_nbytes(made.storage().nbytes());
      ours.unsafeGetTensorImpl()->set_storage_offset(0);
      ours.unsafeGetTensorImpl()->set_sizes_and_strides(made.sizes(), made.strides());
    }
  }

  static at::Tensor empty(at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType dtype) {
    return at::detail::empty_strided_generic(sizes, strides, allocator(), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), dtype);
  }

  bool any = false;

 private:
  bool copies, foreign = false;
  std::unordered_map<at::StorageImpl *, c10::Storage> storages;
  std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
};

// What a kernel calls is below autograd and autocast.
struct below {
  at::AutoDispatchBelowADInplaceOrView autograd;
  c10::impl::ExcludeDispatchKeyGuard autocast{c10::autocast_dispatch_keyset};
};

c10::IValue lent(lending &to, const c10::IValue &value) {
  if (value.isTensor()) return to.lend(value.toTensor());
  if (value.isTensorList()) {
    c10::List<at::Tensor> out;
    for (const at::Tensor &t : value.toTensorVector()) out.push_back(to.lend(t));
    return out;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> out;
    for (const std::optional<at::Tensor> &t : value.toOptionalTensorVector()) out.push_back(t ? std::optional(to.lend(*t)) : std::nullopt);
    return out;
  }
  if (value.isDevice() && value.toDevice().is_privateuseone()) {
    to.any = true;
    return at::Device(at::kCPU);
  }
  return value;
}

c10::IValue given(lending &by, const c10::IValue &value) {
  if (value.isTensor()) return by.back(value.toTensor());
  if (!value.isTensorList()) return value;
  c10::List<at::Tensor> out;
  for (const at::Tensor &t : value.toTensorVector()) out.push_back(by.back(t));
  return out;
}

// Every operator without a kernel of its own.
void compute(const c10::OperatorHandle &op, c10::Stack *stack) {
  lending call;
  auto arguments = torch::jit::last(*stack, op.schema().arguments().size());
  for (size_t i = 0; i < arguments.size(); i++) (*stack)[stack->size() - arguments.size() + i] = lent(call, arguments[i]);
  call.check();
  below guard;
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  size_t results = op.schema().returns().size();
  for (size_t i = stack->size() - results; i < stack->size(); i++) (*stack)[i] = given(call, (*stack)[i]);
  call.finish();
}

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>,
                 std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, allocator(), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1), c10::dtype_or_default(dtype), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                         std::optional<at::Device>, std::optional<bool>) {
  return lending::empty(size, stride, c10::dtype_or_default(dtype));
}

// The one way from and to the host.
at::Tensor copy_from(const at::Tensor &from, const at::Tensor &to, bool) {
  lending call(/*copies=*/true);
  below guard;
  call.lend(to).copy_(call.lend(from));
  return to;
}

// libtorch leaves the convolutions of other devices to these two.
at::Tensor convolution(const at::Tensor &x, const at::Tensor &weight, const std::optional<at::Tensor> &bias, at::IntArrayRef stride,
                       at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding, int64_t groups) {
  lending call;
  at::Tensor a = call.lend(x), w = call.lend(weight), b = call.lend(bias.value_or(at::Tensor()));
  call.check();
  below guard;
  return call.back(at::convolution(a, w, b, stride, padding, dilation, transposed, output_padding, groups));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(const at::Tensor &grad, const at::Tensor &x, const at::Tensor &weight,
                                                                    at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation,
                                                                    bool transposed, at::IntArrayRef output_padding, int64_t groups,
                                                                    std::array<bool, 3> wanted) {
  lending call;
  at::Tensor g = call.lend(grad), a = call.lend(x), w = call.lend(weight);
  call.check();
  below guard;
  std::vector<int64_t> bias{grad.size(1)};
  auto [dx, dw, db] = at::convolution_backward(g, a, w, bias, stride, padding, dilation, transposed, output_padding, groups, wanted);
  return {call.back(dx), call.back(dw), call.back(db)};
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>()); }

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("_copy_from", copy_from);
  m.impl("convolution_overrideable", convolution);
  m.impl("convolution_backward_overrideable", convolution_backward);
}

}  // namespace

}  // namespace testdevice
