/* The C interface of libespalier: the only seam between Go and libtorch.
 *
 * Every function that can fail returns its status by value, so that no second call is needed to learn of a failure: a
 * goroutine may change its thread between two calls, and a thread-local "last error" would then be lost or blamed on another.
 * The others cannot fail: they read or set a variable, or free (torch/seam_test.go has the reason of each).
 * Inputs are borrowed for the call; outputs are new handles that the caller owns; NULL means absent.
 * No libtorch type appears here, so a Go binary runs over every libtorch that the library was built for. */
#ifndef ESPALIER_H
#define ESPALIER_H

#include <stddef.h>
#include <stdint.h>

#define ESP_INTERFACE_VERSION 11

#ifdef __cplusplus
#define ESP_API extern "C" __attribute__((visibility("default")))
#else
#define ESP_API
#endif

typedef struct esp_tensor esp_tensor;
typedef struct esp_generator esp_generator;
typedef struct esp_accumulator esp_accumulator;
typedef struct esp_inference esp_inference;
typedef struct esp_module esp_module;
typedef struct esp_program esp_program;

enum { ESP_ERROR_RUNTIME = 1, ESP_ERROR_MEMORY, ESP_ERROR_INDEX, ESP_ERROR_TYPE, ESP_ERROR_UNSUPPORTED, ESP_ERROR_CALLBACK };

typedef struct { int32_t kind; char *message; } esp_error;

/* scope is the number of the calling thread's scope (esp_scope_set), sent along to save the caller a second call. */
typedef struct { esp_tensor *tensor; esp_error *error; int32_t scope; } esp_result;
typedef struct { esp_error *error; int32_t scope; } esp_status;
typedef struct { int64_t value; esp_error *error; } esp_number;

/* Shape or list arguments: borrowed for the call. */
typedef struct { const int64_t *data; int64_t count; } esp_ints;
typedef struct { esp_tensor *const *data; int64_t count; } esp_tensors;

/* --- library ------------------------------------------------------------------------------------------------- */
ESP_API int32_t esp_interface_version(void);
ESP_API const char *esp_libtorch_version(void);
/* What libtorch takes the CPU for: which instructions its kernels use, as "AVX2" or "DEFAULT". */
ESP_API esp_status esp_cpu_capability(const char **name);
ESP_API esp_status esp_shim_path(const char **path); /* the file of this very library, as the loader found it */
ESP_API void esp_error_free(esp_error *e);
ESP_API int32_t esp_scope_set(int32_t scope); /* returns the previous one; 0 is none */
ESP_API int64_t esp_live_tensors(void);
ESP_API esp_status esp_threads_set(int64_t n);
ESP_API esp_number esp_threads_own(int64_t n); /* of the calling thread alone; 0: those of all. Returns the number of before */
ESP_API esp_number esp_threads_get(void);
ESP_API esp_status esp_memory_trim(void); /* gives free heap pages back to the system */

/* --- devices: -1 is the CPU, n >= 0 is cuda:n ------------------------------------------------------------------ */
enum { ESP_CPU = -1, ESP_TEST_DEVICE = -2 };
/* Loads the CUDA library where it is installed. It must come before anything is computed: libtorch asks once whether there
 * is CUDA, in a first backward for example, and keeps the answer for ever. */
ESP_API esp_status esp_cuda_prepare(void);
ESP_API esp_status esp_cuda_load(int32_t *count); /* loads libtorch_cuda where it is; must come before any CUDA query */
ESP_API esp_status esp_cuda_synchronize(int32_t device);
/* Loads the test device where it lies beside this library, and tells whether it is there. It too must come before anything
 * is computed. */
ESP_API esp_number esp_test_device_load(void);

/* --- tensors --------------------------------------------------------------------------------------------------- */
ESP_API void esp_tensor_free(esp_tensor *t);
ESP_API void esp_tensors_free(esp_tensors ts);
ESP_API esp_number esp_tensor_rank(const esp_tensor *t);
ESP_API esp_status esp_tensor_shape(const esp_tensor *t, int64_t *shape);
ESP_API esp_number esp_tensor_size(const esp_tensor *t, int64_t dim); /* dim may be negative */
ESP_API esp_number esp_tensor_count(const esp_tensor *t);
ESP_API esp_number esp_tensor_dtype(const esp_tensor *t);
ESP_API esp_number esp_tensor_device(const esp_tensor *t);
ESP_API esp_number esp_tensor_is_contiguous(const esp_tensor *t);
ESP_API esp_status esp_tensor_data(const esp_tensor *t, void **data);
ESP_API esp_result esp_tensor_alias(const esp_tensor *t); /* a second handle to the same tensor */
/* For other libraries in the same process, over the same libtorch: the address of a new at::Tensor on the heap, which the
 * caller deletes (it is not among the live tensors), and a handle to an at::Tensor of others, which stays theirs. No
 * elements are copied. */
ESP_API esp_status esp_tensor_export(const esp_tensor *t, void **at_tensor);
ESP_API esp_result esp_tensor_import(const void *at_tensor);
ESP_API esp_status esp_tensor_read(const esp_tensor *t, void *to, int64_t bytes);
ESP_API esp_status esp_tensor_item(const esp_tensor *t, double *value);

ESP_API esp_result esp_tensor_empty(esp_ints shape, int32_t dtype, int32_t device);
ESP_API esp_result esp_tensor_full(esp_ints shape, double value, int32_t dtype, int32_t device);
ESP_API esp_result esp_tensor_arange(int64_t from, int64_t to, int32_t device);
ESP_API esp_result esp_tensor_places(const esp_tensor *t, int64_t dim); /* 0, 1, … along a dimension of t */
ESP_API esp_result esp_tensor_from(const void *data, int64_t bytes, esp_ints shape, int32_t dtype, int32_t device);
ESP_API esp_result esp_tensor_borrow(void *data, esp_ints shape, int32_t dtype); /* data must outlive the tensor */
ESP_API esp_result esp_tensor_to_dtype(const esp_tensor *t, int32_t dtype);
ESP_API esp_result esp_tensor_to_device(const esp_tensor *t, int32_t device);
ESP_API esp_result esp_tensor_clone(const esp_tensor *t);
ESP_API esp_result esp_tensor_detach(const esp_tensor *t);

/* --- random numbers -------------------------------------------------------------------------------------------- */
ESP_API esp_status esp_generator_new(uint64_t seed, int32_t device, esp_generator **out);
ESP_API void esp_generator_free(esp_generator *g);
ESP_API esp_result esp_tensor_randn(esp_ints shape, esp_generator *g);
ESP_API esp_result esp_tensor_rand(esp_ints shape, esp_generator *g);

/* --- shape ----------------------------------------------------------------------------------------------------- */
ESP_API esp_result esp_tensor_reshape(const esp_tensor *t, esp_ints shape);
ESP_API esp_result esp_tensor_flatten(const esp_tensor *t, int64_t from, int64_t to);
ESP_API esp_result esp_tensor_unflatten(const esp_tensor *t, int64_t dim, esp_ints sizes);
ESP_API esp_result esp_tensor_transpose(const esp_tensor *t, int64_t a, int64_t b);
ESP_API esp_result esp_tensor_permute(const esp_tensor *t, esp_ints dims);
ESP_API esp_result esp_tensor_unsqueeze(const esp_tensor *t, int64_t dim);
ESP_API esp_result esp_tensor_squeeze(const esp_tensor *t, int64_t dim);
ESP_API esp_result esp_tensor_expand(const esp_tensor *t, esp_ints shape);
ESP_API esp_result esp_tensor_expand_first(const esp_tensor *t, const esp_tensor *like); /* dim 0 as in like, others kept */
ESP_API esp_result esp_tensor_repeat_interleave(const esp_tensor *t, int64_t times, int64_t dim);
ESP_API esp_result esp_tensor_narrow(const esp_tensor *t, int64_t dim, int64_t from, int64_t count);
ESP_API esp_result esp_tensor_slice(const esp_tensor *t, int64_t dim, int64_t from, int64_t to);
ESP_API esp_result esp_tensor_select(const esp_tensor *t, int64_t dim, int64_t index);
ESP_API esp_result esp_tensor_contiguous(const esp_tensor *t);
ESP_API esp_result esp_tensors_cat(esp_tensors ts, int64_t dim);

/* --- indexing -------------------------------------------------------------------------------------------------- */
ESP_API esp_result esp_tensor_index_select(const esp_tensor *t, int64_t dim, const esp_tensor *index);
ESP_API esp_result esp_tensor_gather(const esp_tensor *t, int64_t dim, const esp_tensor *index);
ESP_API esp_result esp_tensor_scatter(const esp_tensor *t, int64_t dim, const esp_tensor *index, double value);
ESP_API esp_result esp_tensor_index_copy(const esp_tensor *t, int64_t dim, const esp_tensor *index, const esp_tensor *source);
ESP_API esp_result esp_tensor_masked_fill(const esp_tensor *t, const esp_tensor *mask, double value);
ESP_API esp_result esp_tensor_masked_scatter(const esp_tensor *t, const esp_tensor *mask, const esp_tensor *source);
ESP_API esp_result esp_tensor_where(const esp_tensor *condition, const esp_tensor *a, const esp_tensor *b);

/* --- arithmetic ------------------------------------------------------------------------------------------------ */
ESP_API esp_result esp_tensor_add(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_sub(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_mul(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_div(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_add_scalar(const esp_tensor *a, double b);
ESP_API esp_result esp_tensor_mul_scalar(const esp_tensor *a, double b);
ESP_API esp_result esp_tensor_clamp_min(const esp_tensor *a, double low);
ESP_API esp_result esp_tensor_minimum(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_matmul(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_neg(const esp_tensor *a);
ESP_API esp_result esp_tensor_abs(const esp_tensor *a);
ESP_API esp_result esp_tensor_exp(const esp_tensor *a);
ESP_API esp_result esp_tensor_log(const esp_tensor *a);
ESP_API esp_result esp_tensor_sqrt(const esp_tensor *a);
ESP_API esp_result esp_tensor_rsqrt(const esp_tensor *a);
ESP_API esp_result esp_tensor_cos(const esp_tensor *a);
ESP_API esp_result esp_tensor_sin(const esp_tensor *a);
ESP_API esp_result esp_tensor_isfinite(const esp_tensor *a);
ESP_API esp_result esp_tensor_eq(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_le(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_eq_scalar(const esp_tensor *a, double b);
ESP_API esp_result esp_tensor_lt_scalar(const esp_tensor *a, double b);
ESP_API esp_result esp_tensor_gt_scalar(const esp_tensor *a, double b);
ESP_API esp_result esp_tensor_logical_and(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_logical_or(const esp_tensor *a, const esp_tensor *b);
ESP_API esp_result esp_tensor_logical_not(const esp_tensor *a);
ESP_API esp_status esp_tensor_copy_(esp_tensor *a, const esp_tensor *b);
ESP_API esp_status esp_tensor_fill_(esp_tensor *a, double value);

/* --- reductions: no dims means all; kept dims stay with size 1 ---------------------------------------------------- */
ESP_API esp_result esp_tensor_sum(const esp_tensor *t, esp_ints dims, int32_t keep);
ESP_API esp_result esp_tensor_mean(const esp_tensor *t, esp_ints dims, int32_t keep);
ESP_API esp_result esp_tensor_amax(const esp_tensor *t, esp_ints dims, int32_t keep);
ESP_API esp_result esp_tensor_argmax(const esp_tensor *t, int64_t dim);
ESP_API esp_result esp_tensor_logsumexp(const esp_tensor *t, int64_t dim);
ESP_API esp_result esp_tensor_cumsum(const esp_tensor *t, int64_t dim);
ESP_API esp_result esp_tensor_all(const esp_tensor *t);
ESP_API esp_result esp_tensor_any(const esp_tensor *t);
ESP_API esp_status esp_tensor_topk(const esp_tensor *t, int64_t k, int64_t dim, esp_tensor **values, esp_tensor **indices);

/* --- neural network operations ----------------------------------------------------------------------------------- */
ESP_API esp_result esp_tensor_linear(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias);
ESP_API esp_result esp_tensor_layer_norm(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias, double eps);
ESP_API esp_result esp_tensor_embedding(const esp_tensor *weight, const esp_tensor *ids);
ESP_API esp_result esp_tensor_conv2d(const esp_tensor *x, const esp_tensor *weight, const esp_tensor *bias, int64_t stride);
ESP_API esp_result esp_tensor_gelu(const esp_tensor *x, int32_t tanh_form);
ESP_API esp_result esp_tensor_relu(const esp_tensor *x);
ESP_API esp_result esp_tensor_silu(const esp_tensor *x);
ESP_API esp_result esp_tensor_softplus(const esp_tensor *x);
ESP_API esp_result esp_tensor_softmax(const esp_tensor *x, int64_t dim);
ESP_API esp_result esp_tensor_log_softmax(const esp_tensor *x, int64_t dim);
ESP_API esp_result esp_tensor_cross_entropy(const esp_tensor *logits, const esp_tensor *targets);
/* q, k, v [batch, heads, tokens, head size]; mask broadcast to [batch, heads, queries, keys]: bool (true is seen) or added */
ESP_API esp_result esp_tensor_attention(const esp_tensor *q, const esp_tensor *k, const esp_tensor *v, const esp_tensor *mask,
                                        double scale);
/* the same without a mask for x [batch, tokens, queries, keys and values of the heads]; gives [batch, tokens, heads · size] */
ESP_API esp_result esp_tensor_self_attention(const esp_tensor *x, int64_t heads, double scale);
/* attention of x [batch, tokens, width] to itself: weights [heads · size, width] of queries, keys and values, and as many biases or none */
ESP_API esp_result esp_tensor_projected_attention(const esp_tensor *x, esp_tensors weights, esp_tensors biases, const esp_tensor *mask,
                                                  int64_t heads, double scale);

/* --- autograd ---------------------------------------------------------------------------------------------------- */
ESP_API int32_t esp_grad_mode_set(int32_t enabled); /* of the calling thread; returns the previous one */
ESP_API int32_t esp_grad_mode_get(void);
/* inference mode of the calling thread lasts from begin to end; pairs nest, and are of one thread */
ESP_API esp_status esp_inference_begin(esp_inference **out);
ESP_API void esp_inference_end(esp_inference *mode);
/* autocast of the calling thread for the device's type, in bfloat16 or float16; dtype -1 turns it off; returns the previous dtype
 * or -1 */
ESP_API esp_number esp_autocast_set(int32_t device, int32_t dtype);
ESP_API esp_status esp_autocast_clear(void); /* drops the casted weights kept by autocast */
ESP_API esp_number esp_tensor_requires_grad(const esp_tensor *t);
ESP_API esp_status esp_tensor_requires_grad_set(esp_tensor *t, int32_t requires_grad);
ESP_API esp_status esp_tensor_backward(const esp_tensor *t);
ESP_API esp_result esp_tensor_grad(const esp_tensor *t); /* NULL where there is none */
ESP_API esp_status esp_tensor_grad_set(esp_tensor *t, const esp_tensor *grad);

/* --- gradient hooks ---------------------------------------------------------------------------------------------- */
/* A callback gets a handle and a borrowed gradient and returns a new gradient (owned by the library) or NULL, and an
 * error message (malloc'ed), with its kind, or NULL. release is called once, when the hook is dropped. */
typedef struct { esp_tensor *grad; char *error; int32_t kind; } esp_hook_answer;
typedef esp_hook_answer (*esp_hook_call)(uintptr_t handle, esp_tensor *grad);
typedef void (*esp_hook_release)(uintptr_t handle);
ESP_API void esp_hook_callbacks(esp_hook_call call, esp_hook_release release);
ESP_API esp_status esp_tensor_hook(esp_tensor *t, uintptr_t handle, uint32_t *position);
ESP_API esp_status esp_tensor_hook_remove(esp_tensor *t, uint32_t position);

/* Folding: after each backward pass that reaches the leaf t, the hook adds |g|, |g*w| or g*w, summed over all other
 * dimensions, to one float64 vector for each dimension, and drops the gradient at once. */
enum { ESP_FOLD_GRAD_ABS = 1, ESP_FOLD_TAYLOR_ABS, ESP_FOLD_TAYLOR };
ESP_API esp_status esp_accumulator_new(esp_tensor *t, int32_t mode, esp_accumulator **out);
ESP_API esp_result esp_accumulator_take(esp_accumulator *a, int64_t dim); /* the vector; it starts again from zero */
ESP_API esp_status esp_accumulator_free(esp_accumulator *a);             /* removes the hook too */

/* --- recomputation ----------------------------------------------------------------------------------------------- */
/* What a block of a forward does with gradients on the calling thread. */
enum { ESP_BLOCK_NO_GRAD, ESP_BLOCK_PLAIN, ESP_BLOCK_RECOMPUTED };
ESP_API int32_t esp_block_mode(void);
ESP_API int32_t esp_recompute_set(int32_t on); /* of the calling thread; returns the previous one */
/* Between begin and end no gradient is recorded and autocast keeps no casted weights; end takes what begin gave. */
ESP_API int32_t esp_recompute_begin(void);
ESP_API void esp_recompute_end(int32_t before);
/* A callback computes the block again, with gradients, from borrowed inputs, and answers as a hook does. */
typedef esp_hook_answer (*esp_recompute_call)(uintptr_t handle, esp_tensors inputs);
ESP_API void esp_recompute_callbacks(esp_recompute_call call, esp_hook_release release);
/* value, the block's output without a graph, as a tensor whose backward calls back; inputs may be NULL */
ESP_API esp_result esp_tensor_recomputed(const esp_tensor *value, esp_tensors inputs, uintptr_t handle);

/* --- optimizers -------------------------------------------------------------------------------------------------- */
/* Adds the gradients of workers, which have as many parameters each, one worker behind another, to those of params and takes them away;
 * the 2-norm of all gradients of params is written. What has no gradient is left out. */
ESP_API esp_status esp_grads_gather(esp_tensors params, esp_tensors beside, double *norm);
/* One step of AdamW over params that all have gradients, which are taken times scale; steps are float32 scalars, counted up here. */
ESP_API esp_status esp_adamw_step(esp_tensors params, esp_tensors grads, esp_tensors m, esp_tensors v, esp_tensors steps,
                                  double scale, double lr, double beta1, double beta2, double eps, double weight_decay);

/* --- TorchScript ------------------------------------------------------------------------------------------------- */
/* What a method takes and gives: layout has an entry for each value, -1 for a tensor and n >= 0 for a list of n tensors;
 * the tensors stand one behind the other. */
typedef struct { esp_tensors tensors; esp_ints layout; } esp_values;
ESP_API esp_status esp_module_new(const char *class_name, esp_module **out);
ESP_API void esp_module_free(esp_module *m);
/* Dots in a name are submodules. The module keeps this very tensor: what reads it in a trace reads the parameter. */
ESP_API esp_status esp_module_parameter(esp_module *m, const char *name, const esp_tensor *value);
ESP_API esp_status esp_module_save(const esp_module *m, const char *path, const char *const *names, const char *const *contents,
                                   int64_t extra_files);
ESP_API esp_status esp_module_load(const char *path, int32_t device, esp_module **out);
/* out is owned by the caller: its tensors, and the memory, which esp_values_free gives back. */
ESP_API esp_status esp_module_call(esp_module *m, const char *method, esp_values inputs, esp_values *out);
ESP_API void esp_values_free(esp_values v);
/* From begin to finish or abandon, every operation of the calling thread on the inputs is recorded; finish makes the
 * record a method of the module. After a failed begin or finish none is recorded,
 * but for a begin within another trace, which goes on. */
ESP_API esp_status esp_trace_begin(esp_module *m, const char *const *names, esp_values inputs);
ESP_API esp_status esp_trace_finish(esp_module *m, const char *method, esp_values outputs);
ESP_API esp_status esp_trace_abandon(void);

/* --- recorded programs ------------------------------------------------------------------------------------------- */
/* A program is the forward of one network, in parts that are recorded at fixed sizes and computed by kernels of this library
 * without libtorch. What a part keeps for the next, such as keys and values, lies in the program's slots. Parameters are
 * on the CPU, and float32 where parts are recorded; the program has copies of them, and is fresh for as long as they stay as they were. */
ESP_API esp_status esp_program_new(esp_tensors parameters, esp_program **out);
ESP_API void esp_program_free(esp_program *p);
ESP_API esp_number esp_program_is_fresh(const esp_program *p, esp_tensors parameters);
/* A part reads a picture, which is its input; or the words of a question (inputs: their ids and, where there are any, the ids
 * of the instruction), as many as tokens and words say; or a token behind so many tokens, where an encoder has read so many
 * words (0: there is no encoder). */
enum { ESP_PART_PICTURE, ESP_PART_QUESTION, ESP_PART_STEP };
typedef struct { int64_t kind, tokens, words; } esp_part;
/* From begin to finish, or to esp_trace_abandon, every operation of the calling thread on parameters and inputs is recorded.
 * The last inputs are what the slots from `from` on hold, so many states; finish makes a part of the program, which gives
 * logits (or NULL) and keeps states in the slots from `to` on. Where it has no instruction for an operation the error is of the
 * kind ESP_ERROR_UNSUPPORTED, and names it. */
ESP_API esp_status esp_program_begin(esp_tensors parameters, esp_tensors inputs);
ESP_API esp_status esp_program_finish(esp_program *p, esp_part part, esp_tensors parameters, esp_tensors inputs, int64_t states, int64_t from,
                                      const esp_tensor *logits, esp_tensors kept, int64_t to);
/* Questions about pictures: how many of each picture, the tokens of each question, and these one behind the other; the same of
 * the instructions, or none. prefix tokens stand before a question. answers, [question][max_tokens], and log_probs, the same
 * or NULL, are filled up to tokens, [question], which must be -1 where there is no answer yet; an end that was said is not
 * counted. */
typedef struct {
  esp_ints counts, lengths, ids, instruction_lengths, instruction_ids, ends;
  int64_t prefix, min_tokens, max_tokens;
  int32_t encoder; /* the question goes into an encoder, and the answer begins in a decoder of its own */
  int64_t *answers, *tokens;
  double *log_probs;
} esp_questions;
/* Answers greedily. Where a part is lacking, lacks is set to 1 and missing to it: what could be answered has been. Several
 * threads may ask one program while none records. */
ESP_API esp_status esp_program_answer(esp_program *p, const esp_tensor *pictures, esp_questions asked, int32_t *lacks, esp_part *missing);

#endif
