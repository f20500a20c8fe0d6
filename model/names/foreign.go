package names

import (
	"fmt"
	"regexp"
	"strings"

	"espalier/torch/checkpoint"
)

const (
	mergeFirst   = "merge them first, then save: model.merge_and_unload().save_pretrained(folder) in Python, with PEFT"
	restoreFirst = "dequantize first: load the checkpoint in Python, call model.dequantize() and save it; or take the one that it was made from"
)

// foreign are the forms of weights that other programs leave in checkpoints, known by their tensors' names. No name map makes
// plain weights of them.
var foreign = []struct {
	what, remedy string
	names        *regexp.Regexp
}{
	// PEFT's tuners and what they wrap (peft/tuners/*/layer.py), loralib's and diffusers' layers.
	{"LoRA layers", mergeFirst, regexp.MustCompile(`(^|\.)(base_layer|modules_to_save|original_module|lora|(lora|ia3|hada|lokr|oft|boft|vera_lambda)_\w+)(\.|$)`)},
	{"weights of a network that PEFT wraps", mergeFirst, regexp.MustCompile(`(^|\.)base_model\.model\.`)},
	{"bitsandbytes' 8-bit weights", restoreFirst, regexp.MustCompile(`\.(SCB|weight_format)$`)},
	{"bitsandbytes' 4-bit weights", restoreFirst, regexp.MustCompile(`\.((nested_)?(absmax|quant_map)|bitsandbytes__\w+)$`)},
	{"weights quantized by GPTQ", restoreFirst, regexp.MustCompile(`\.g_idx$`)},
	{"weights quantized by AWQ or GPTQ", restoreFirst, regexp.MustCompile(`\.(qweight|qzeros)$`)},
	{"weights quantized by HQQ", restoreFirst, regexp.MustCompile(`\.W_q$`)},
	{"weights quantized by quanto", restoreFirst, regexp.MustCompile(`\.weight\.(_data|_scale|_qtype)$`)},
	{"weights quantized by AQLM", restoreFirst, regexp.MustCompile(`\.codebooks$`)},
	{"quantized weights, as compressed-tensors keeps them", restoreFirst, regexp.MustCompile(`\.(weight_packed|weight_zero_point|weight_g_idx)$`)},
	{"quantized weights with their scales", restoreFirst, regexp.MustCompile(`\.(weight_scales?|weight_scale_inv|input_scale|activation_scale)$`)},
}

// Foreign is an error where a checkpoint holds LoRA layers or quantized weights. It names them and the step to take: nothing
// here computes with them, and the plain tensors among them alone are another model, such as the one before its fine-tuning.
func Foreign(s checkpoint.Source) error {
	names := s.Names()
	for _, kind := range foreign {
		if err := holds(names, kind.names.MatchString, kind.what, kind.remedy); err != nil {
			return err
		}
	}
	return holds(names, func(name string) bool {
		info, _ := s.Info(name)
		return strings.HasPrefix(info.DType.String(), "float8")
	}, "float8 weights", restoreFirst)
}

// holds is an error where some of the names are of a kind.
func holds(names []string, kind func(string) bool, what, remedy string) error {
	first, count := "", 0
	for _, n := range names {
		if kind(n) {
			if count++; count == 1 {
				first = n
			}
		}
	}
	if count == 0 {
		return nil
	}
	if count > 1 {
		what = fmt.Sprintf("%s (%.200s and %d more)", what, first, count-1)
	} else {
		what = fmt.Sprintf("%s (%.200s)", what, first)
	}
	return fmt.Errorf("these are %s: %s", what, remedy)
}
