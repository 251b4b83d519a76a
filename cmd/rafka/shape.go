package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"gopkg.in/yaml.v3"
)

// shapeWarnings returns the parts of a config with a rafka input that make the engine lose
// messages, where rafka can't prevent it. Each warning names the path in the config and the
// problem. The config is in the form that a YAML parser returns.
func shapeWarnings(config any) []string {
	root, _ := plain(config).(map[string]any)
	if !holds(root["input"], "rafka") && !holds(root["input_resources"], "rafka") {
		return nil
	}
	var found []string
	if buffer, _ := root["buffer"].(map[string]any); len(buffer) > 0 {
		for _, kind := range slices.Sorted(maps.Keys(buffer)) {
			if kind != "none" && kind != "label" {
				found = append(
					found,
					fmt.Sprintf("buffer.%s: a buffer acknowledges messages before an output has written them. Its "+
						"messages are lost with the process, so the guarantees of the rafka input do not apply: "+
						"remove the buffer, since the topic is a buffer itself", kind),
				)
			}
		}
	}
	for _, part := range []string{"output", "output_resources"} {
		found = append(found, movedMessages(root[part], part)...)
		found = append(found, failFast(root[part], part)...)
	}
	return found
}

// failFast finds brokers that can acknowledge a message that one of their outputs rejects, because
// they count the answers of the outputs before they look at the errors.
func failFast(part any, path string) (found []string) {
	switch v := part.(type) {
	case map[string]any:
		if v["pattern"] == "fan_out_fail_fast" {
			return []string{path + ".pattern: fan_out_fail_fast can lose a message: if one output rejects it at the " +
				"moment when another output accepts it, Benthos can acknowledge it. Set fan_out_sequential_fail_fast " +
				"or fan_out"}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			found = append(found, failFast(v[name], path+"."+name)...)
		}
	case []any:
		for i, inner := range v {
			found = append(found, failFast(inner, path+"."+strconv.Itoa(i))...)
		}
	}
	return found
}

// plain decodes the YAML nodes in a config that the engine has parsed.
func plain(value any) any {
	switch v := value.(type) {
	case *yaml.Node:
		var decoded any
		if v.Decode(&decoded) == nil {
			return plain(decoded)
		}
	case yaml.Node:
		return plain(&v)
	case map[string]any:
		decoded := make(map[string]any, len(v))
		for name, inner := range v {
			decoded[name] = plain(inner)
		}
		return decoded
	case []any:
		decoded := make([]any, len(v))
		for i, inner := range v {
			decoded[i] = plain(inner)
		}
		return decoded
	}
	return value
}

// holds reports whether a part of a config contains a component of the given type.
func holds(part any, kind string) bool {
	switch v := part.(type) {
	case map[string]any:
		for name, inner := range v {
			if _, isComponent := inner.(map[string]any); isComponent && name == kind || holds(inner, kind) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(inner any) bool { return holds(inner, kind) })
	}
	return false
}

// movedMessages finds processors that change which index of a batch a message has, so that the
// engine attributes a failure to another message: processors in the batching of an output, except
// rafka's own output, which then fails the whole batch, and processors of the outputs in a
// fallback.
func movedMessages(part any, path string) (found []string) {
	switch v := part.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			here := path + "." + name
			if fields, ok := v[name].(map[string]any); ok && name != "rafka" {
				batching, _ := fields["batching"].(map[string]any)
				found = append(found, warnOf(batching["processors"], here+".batching.processors")...)
			}
			if outputs, ok := v[name].([]any); ok && name == "fallback" {
				for i, output := range outputs {
					fields, _ := output.(map[string]any)
					found = append(found, warnOf(fields["processors"], here+"."+strconv.Itoa(i)+".processors")...)
				}
			}
			found = append(found, movedMessages(v[name], here)...)
		}
	case []any:
		for i, inner := range v {
			found = append(found, movedMessages(inner, path+"."+strconv.Itoa(i))...)
		}
	}
	return found
}

// moving holds the processors that drop, split or sort messages of a batch.
var moving = []string{
	"select_parts",
	"unarchive",
	"split",
	"group_by",
	"group_by_value",
	"dedupe",
	"bounds_check",
	"insert_part",
}

func warnOf(processors any, path string) []string {
	list, _ := processors.([]any)
	if len(list) == 0 {
		return nil
	}
	if last, _ := list[len(list)-1].(map[string]any); last["archive"] != nil {
		return nil // archive makes one message of the batch, which fails as a whole
	}
	name := mover(list)
	if name == "" {
		return nil
	}
	return []string{
		fmt.Sprintf(
			"%s: %s can drop, split or sort messages of a batch. If a part of such a batch fails, Benthos can't map "+
				"the failure to the right messages: a failed message can be acknowledged, which loses it. Move the "+
				"processor to pipeline.processors",
			path,
			name,
		),
	}
}

// mover returns the name of a processor that moves messages, or "".
func mover(part any) string {
	switch v := part.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			text, isText := v[name].(string)
			mapping := isText && (strings.Contains(text, "deleted()") || strings.Contains(text, ".from("))
			if slices.Contains(moving, name) || mapping {
				return name
			}
			if inner := mover(v[name]); inner != "" {
				return inner
			}
		}
	case []any:
		for _, inner := range v {
			if name := mover(inner); name != "" {
				return name
			}
		}
	}
	return ""
}

// warnAtStart logs the warnings about a config when it starts.
func warnAtStart(config *service.ParsedConfig) error {
	root, err := config.FieldAny()
	if err != nil {
		return nil //nolint:nilerr // without a config there is nothing to check
	}
	for _, warning := range shapeWarnings(root) {
		config.Resources().Logger().Warn(warning)
	}
	return nil
}

// warnAfterLint prints the warnings about the files of a lint command. They are not lints, since
// lints prevent a config from running.
func warnAfterLint(args []string, stderr io.Writer) {
	if len(args) < 2 || args[1] != "lint" {
		return
	}
	paths, err := service.Globs(service.OSFS(), args[2:]...)
	if err != nil {
		return // the command has reported the error
	}
	for _, path := range paths {
		for _, warning := range fileWarnings(path) {
			_, _ = fmt.Fprintf(stderr, "%s: warning: %s\n", path, warning)
		}
	}
}

func fileWarnings(path string) []string {
	if !strings.HasSuffix(path, ".yaml") && !strings.HasSuffix(path, ".yml") {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return textWarnings(string(text))
}

// textWarnings returns the shapeWarnings of a config's text, or none if it is not YAML.
func textWarnings(text string) []string {
	var root any
	if yaml.Unmarshal([]byte(text), &root) != nil {
		return nil
	}
	return shapeWarnings(root)
}
