package tokenizer_test

import (
	"fmt"
	"slices"

	"espalier/model/tokenizer"
)

// The words of some data make a vocabulary. A published checkpoint's tokenizer.json is read by Load.
func ExampleBuildWordLevel() {
	t, err := tokenizer.BuildWordLevel(slices.Values([]string{"what color is it", "red"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{"what color is red", "what colour is it"} {
		ids, err := t.EncodePrompt(text)
		fmt.Println(ids, t.Decode(ids), err)
	}
	// Output:
	// [3 4 5 7] what color is red <nil>
	// [3 2 5 6] what <unk> is it <nil>
}
