package corpus

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"espalier/pipeline/config"
	"espalier/pipeline/data"
)

// Each range is its key's times the strength, and no two keys are mixed up.
func TestVaryTakesEveryRange(t *testing.T) {
	assert.Equal(t, data.Vary{}, Vary(nil))
	assert.Equal(t, data.Vary{}, Vary(&config.VaryConfig{Shift: .2, Outputs: "varied"}))
	var c config.VaryConfig
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Float64 {
			v.Field(i).SetFloat(float64(i) / 8)
		}
	}
	c.Strength = 2
	got := reflect.ValueOf(Vary(&c))
	for i := range got.NumField() {
		name := got.Type().Field(i).Name
		want := v.FieldByName(name)
		assert.NotZero(t, want.Float(), name)
		assert.Equal(t, 2*want.Float(), got.Field(i).Float(), name)
	}
	assert.Equal(t, 1+got.NumField(), countFloats(v), "a key has no range")
}

func countFloats(v reflect.Value) (n int) {
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Float64 {
			n++
		}
	}
	return n
}
