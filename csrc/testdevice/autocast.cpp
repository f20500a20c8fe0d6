// Autocast of the test device: libtorch's lists of operators for GPUs, with boxed kernels, since the templates of its own
// ones take two minutes to compile.
#include <ATen/autocast_mode.h>
#include <torch/library.h>

namespace {

using policy = at::autocast::CastPolicy;

constexpr auto type = c10::DeviceType::PrivateUse1;

// cast_all gives the floats among the arguments a dtype.
void cast_all(c10::Stack &stack, size_t from, at::ScalarType to) {
  using at::autocast::cached_cast;
  for (size_t i = from; i < stack.size(); i++) {
    c10::IValue &v = stack[i];
    if (v.isTensor() && v.toTensor().defined()) v = cached_cast(to, v.toTensor(), type);
    if (v.isTensorList()) v = cached_cast(to, v.toTensorVector(), type);
  }
}

at::ScalarType widest(const c10::Stack &stack, size_t from) {
  at::ScalarType d = at::autocast::get_lower_precision_fp_from_device_type(type);
  for (size_t i = from; i < stack.size(); i++) {
    if (stack[i].isTensor() && stack[i].toTensor().defined()) d = at::autocast::prioritize(d, stack[i].toTensor(), type);
  }
  return d;
}

// set_output asks for sums in float32, where nobody has asked for anything.
void set_output(const c10::OperatorHandle &op, c10::Stack &stack, size_t from) {
  if (!at::autocast::is_eligible(stack[from].toTensor(), type)) return;
  if (auto at = op.schema().argumentIndexWithName("dtype"); at && stack[from + *at].isNone()) stack[from + *at] = at::kFloat;
}

template <policy how>
void autocast(const c10::OperatorHandle &op, c10::Stack *stack) {
  c10::impl::ExcludeDispatchKeyGuard off(at::autocast::get_autocast_dispatch_key_from_device_type(type));
  size_t from = stack->size() - op.schema().arguments().size();
  if constexpr (how == policy::lower_precision_fp) cast_all(*stack, from, at::autocast::get_lower_precision_fp_from_device_type(type));
  if constexpr (how == policy::fp32) cast_all(*stack, from, at::kFloat);
  if constexpr (how == policy::promote) cast_all(*stack, from, widest(*stack, from));
  if constexpr (how == policy::fp32_set_opt_dtype) set_output(op, *stack, from);
  op.callBoxed(stack);
}

// named is an entry of libtorch's lists, "pow, Tensor_Scalar", as the dispatcher names it.
template <policy how>
void named(torch::Library &m, std::string name) {
  if (size_t comma = name.find(", "); comma != std::string::npos) name.replace(comma, 2, ".");
  m.impl(name.c_str(), torch::CppFunction::makeFromBoxedFunction<&autocast<how>>());
}

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, m) { m.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
#define LOWER(...) named<policy::lower_precision_fp>(m, #__VA_ARGS__);
#define FULL(...) named<policy::fp32>(m, #__VA_ARGS__);
#define FULL_OUTPUT(...) named<policy::fp32_set_opt_dtype>(m, #__VA_ARGS__);
#define WIDEST(...) named<policy::promote>(m, #__VA_ARGS__);
  AT_FORALL_LOWER_PRECISION_FP(LOWER)
  AT_FORALL_FP32(FULL)
  AT_FORALL_FP32_SET_OPT_DTYPE(FULL_OUTPUT)
  AT_FORALL_PROMOTE(WIDEST)
}

}  // namespace
