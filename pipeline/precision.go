package pipeline

import (
	"golang.org/x/sys/cpu"

	"espalier/torch"
)

// autoPrecision leaves the choice of a training's precision to the machine.
const autoPrecision = "auto"

// precisionOf is what a training computes in on a device where that is left open. libtorch computes bfloat16 on the CPU with AVX-512; without it, a step
// of the default teacher takes some fifteen times as long as in float32. On a GPU networks of this size do not fill, the casts alone make a step take
// twice as long (docs/performance.md).
func precisionOf(device torch.Device) string {
	if !device.IsCUDA() && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
		return "bf16"
	}
	return "fp32"
}
