package config_test

import (
	"fmt"

	"espalier/pipeline/config"
)

// All faults of a configuration are told at once, with their lines.
func ExampleParse() {
	_, err := config.Parse("run.toml", `
[data]
source = "ads"
[teacher]
checkpoint = "teacher"
[[stage]]
name = "blocks"
prune_ratio = 0.5
keep = { vision = "50%" }
alpha = 1.3
`)
	fmt.Println(err)
	// Output:
	// run.toml:8: stage[0] "blocks": unknown key "prune_ratio" (known here: name, criterion, loss, candidates, candidate_steps, ranking, keep, cuts, alpha, alpha_task, gate, distil, retry)
	// run.toml:10: stage[0] "blocks": alpha: 1.3 is not in [0, 1]
}
