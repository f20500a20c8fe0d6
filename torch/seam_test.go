package torch_test

import (
	"debug/elf"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/torchtest"
)

// unguarded are the exported functions that cannot fail and therefore do without a status, each with the reason.
var unguarded = map[string]string{
	"esp_interface_version":   "a constant",
	"esp_libtorch_version":    "a constant",
	"esp_live_tensors":        "reads a counter",
	"esp_scope_set":           "sets a variable of the thread",
	"esp_grad_mode_set":       "sets a flag of the thread",
	"esp_grad_mode_get":       "reads a flag of the thread",
	"esp_block_mode":          "reads flags of the thread",
	"esp_recompute_set":       "sets a flag of the thread",
	"esp_recompute_begin":     "sets flags of the thread",
	"esp_recompute_end":       "sets flags of the thread",
	"esp_hook_callbacks":      "sets two variables",
	"esp_recompute_callbacks": "sets two variables",
	"esp_error_free":          "frees: destructors throw nothing",
	"esp_tensor_free":         "frees: destructors throw nothing",
	"esp_tensors_free":        "frees: destructors throw nothing",
	"esp_generator_free":      "frees: destructors throw nothing",
	"esp_module_free":         "frees: destructors throw nothing",
	"esp_program_free":        "frees: destructors throw nothing",
	"esp_values_free":         "frees: destructors throw nothing",
	"esp_inference_end":       "restores flags of the thread",
}

// sources is the text of the files that a pattern finds, tests left out.
func sources(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, paths, pattern)
	var all strings.Builder
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

func exported(t *testing.T) []string {
	t.Helper()
	f, err := elf.Open(torch.ShimPath())
	require.NoError(t, err)
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	require.NoError(t, err)
	var names []string
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF && elf.ST_BIND(s.Info) == elf.STB_GLOBAL {
			names = append(names, s.Name)
		}
	}
	require.Greater(t, len(names), 100)
	return names
}

// Each function that the library exports is declared, has a caller, and either stands inside the guard or is known not to
// fail; nothing else is exported, and nothing else declared.
func TestEveryExportedFunctionIsGuarded(t *testing.T) {
	header, shim, callers := sources(t, "espalier.h"), sources(t, "../csrc/*.cpp"), sources(t, "*.go")
	declared := map[string]string{} // what it returns
	for _, m := range regexp.MustCompile(`(?m)^ESP_API (.+?) ?\*?(esp_\w+)\(`).FindAllStringSubmatch(header, -1) {
		declared[m[2]] = m[1]
	}
	guarded := regexp.MustCompile(`(?m)^(esp_status|esp_result|esp_number) (esp_\w+)\([^{]*\{\n  return guard\(\[`)
	bodies := map[string]bool{}
	for _, m := range guarded.FindAllStringSubmatch(shim, -1) {
		bodies[m[2]] = true
	}
	for _, name := range exported(t) {
		require.Contains(t, declared, name, "%s is exported and not in espalier.h", name)
		require.Regexp(t, `\b(C\.|static void \w+\(void\) \{ )`+name+`\(`, callers, "nothing in Go calls %s", name)
		if reason, ok := unguarded[name]; ok {
			require.NotEmpty(t, reason)
			require.NotContains(t, bodies, name, "%s stands inside the guard: take it off the list", name)
			require.NotContains(t, []string{"esp_status", "esp_result", "esp_number"}, declared[name])
		} else {
			require.True(t, bodies[name], "%s does not begin with the guard", name)
		}
		delete(declared, name)
	}
	require.Empty(t, slices.Sorted(maps.Keys(declared)), "declared in espalier.h and not exported")
}

// Each function that can fail is called wrongly through Go: what comes back is an error of ours.
func TestEveryGuardedFunctionReportsMisuse(t *testing.T) {
	for _, name := range exported(t) {
		if _, ok := unguarded[name]; ok {
			require.NotContains(t, misuses, name)
			continue
		}
		misuse, ok := misuses[name]
		require.True(t, ok, "%s has no case in misuse_test.go", name)
		t.Run(name, func(t *testing.T) {
			if misuse.never != "" {
				t.Skip("cannot be made to fail through Go: " + misuse.never)
			}
			torchtest.Run(t, func(*torch.Scope) {
				err := torch.Run(func(*torch.Scope) error { return misuse.call(newOperands()) })
				var e *torch.Error
				require.ErrorAs(t, err, &e)
				require.NotContains(t, e.Error(), "\n")
			})
		})
	}
	names := exported(t)
	for name := range misuses {
		require.Contains(t, names, name, "there is no such function any more")
	}
}
