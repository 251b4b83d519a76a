package pipelines

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// object and list are parts of a configuration. They also contain text, numbers and booleans.
type (
	object map[string]any
	list   []any
)

// yamlOf returns a configuration as readable YAML.
func yamlOf(value any) string {
	var out strings.Builder
	writeYAML(&out, value, 0)
	return out.String()
}

func writeYAML(out *strings.Builder, value any, depth int) {
	indent := strings.Repeat("  ", depth)
	switch v := value.(type) {
	case object:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(out, "%s%s:", indent, name)
			writeBelow(out, v[name], depth)
		}
	case list:
		for _, item := range v {
			var block strings.Builder
			writeYAML(&block, item, depth+1)
			fmt.Fprintf(out, "%s- %s", indent, strings.TrimPrefix(block.String(), indent+"  "))
		}
	default:
		out.WriteString(indent)
		scalar := json.NewEncoder(out) // ends the line; a JSON scalar is a YAML scalar
		scalar.SetEscapeHTML(false)
		if err := scalar.Encode(v); err != nil {
			panic(err) // a generator added another type
		}
	}
}

// writeBelow writes the value of a field.
func writeBelow(out *strings.Builder, value any, depth int) {
	switch v := value.(type) {
	case object:
		if len(v) == 0 {
			out.WriteString(" {}\n")
			return
		}
	case list:
		if len(v) == 0 {
			out.WriteString(" []\n")
			return
		}
	default:
		var scalar strings.Builder
		writeYAML(&scalar, v, 0)
		out.WriteString(" " + scalar.String())
		return
	}
	out.WriteString("\n")
	writeYAML(out, value, depth+1)
}

// withProcessors adds processors to a component, if there are any: the engine rejects an empty
// list.
func withProcessors(component object, processors list) object {
	if len(processors) > 0 {
		component["processors"] = processors
	}
	return component
}
