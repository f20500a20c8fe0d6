// Package chain keeps the results of a run's steps. A step is a function of one value, its input; the hash of that value
// and of the environment is its fingerprint, and its result is kept under it. So what is found was computed from exactly
// these inputs, and what is not found is computed.
package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Print identifies a content: the SHA-256 of its bytes, in hexadecimal.
type Print string

// Printer is a value that is known by its print instead of its fields: a split of the data, a network, a kept result.
type Printer interface{ Print() Print }

// Hash is the print of some bytes.
func Hash(content []byte) Print {
	sum := sha256.Sum256(content)
	return Print(hex.EncodeToString(sum[:]))
}

// Of is the print of a value: a basic value, a list, a map with texts as keys, a struct of exported fields, a [Printer], or a
// pointer to one of these. It panics on anything else, such as a function or an unexported field: a step would see more of
// those than is hashed.
func Of(v any) Print {
	text, err := json.Marshal(readable(v))
	if err != nil {
		panic(fmt.Sprintf("chain: %T cannot be hashed: %v", v, err))
	}
	return Hash(text)
}

// Follower is a [Printer] that earlier steps of the chain made: where it changed, one of their inputs did.
type Follower interface {
	Printer
	Follows()
}

// These keys mark, in the readable form of a value, the print of a [Printer] and of a [Follower].
const (
	printKey  = "print"
	resultKey = "result"
)

// readable is a value as maps, lists, texts and numbers that JSON writes in one way only.
func readable(v any) any { return readableValue(reflect.ValueOf(v)) }

var printer = reflect.TypeFor[Printer]()

func readableValue(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if v.Type().Implements(printer) && v.CanInterface() {
		if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
			return nil
		}
		key := printKey
		if _, follows := v.Interface().(Follower); follows {
			key = resultKey
		}
		return map[string]any{key: string(v.Interface().(Printer).Print())}
	}
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint()
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
		return v.Float()
	case reflect.String:
		return v.String()
	case reflect.Pointer, reflect.Interface:
		return readableValue(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return []any{}
		}
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			return map[string]any{printKey: string(Hash(v.Bytes()))}
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = readableValue(v.Index(i))
		}
		return out
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			break
		}
		out := map[string]any{}
		for _, key := range v.MapKeys() {
			out[key.String()] = readableValue(v.MapIndex(key))
		}
		return out
	case reflect.Struct:
		return readableStruct(v)
	}
	panic(fmt.Sprintf("chain: a %v cannot be an input of a step: give it a Print", v.Type()))
}

func readableStruct(v reflect.Value) any {
	out := map[string]any{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			panic(fmt.Sprintf("chain: field %s of %v cannot be hashed: export it, or give the type a Print", f.Name, v.Type()))
		}
		name := fieldName(f)
		if _, twice := out[name]; twice {
			panic(fmt.Sprintf("chain: %v has two fields that are called %s", v.Type(), name))
		}
		out[name] = readableValue(v.Field(i))
	}
	return out
}

// fieldName is the key that the configuration file has for a field, where there is one.
func fieldName(f reflect.StructField) string {
	for _, tag := range []string{"toml", "json"} {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" && name != "-" {
			return name
		}
	}
	return f.Name
}
