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

// shapeWarnings finds what makes a config with a rafka input lose messages in the engine, where
// rafka can do nothing: each is a place in the config and what is wrong there. The config is one as
// YAML has it.
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
					fmt.Sprintf("buffer.%s: a buffer acknowledges messages before an output has written them, so "+
						"those in it are lost with the process, and what the README promises of the rafka input does not hold: "+
						"remove it, the topic is a buffer itself", kind),
				)
			}
		}
	}
	found = append(found, movedMessages(root["output"], "output")...)
	return append(found, movedMessages(root["output_resources"], "output_resources")...)
}

// plain decodes the nodes that the engine leaves in a parsed config.
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

// holds reports whether a component of that type is anywhere in a part of a config.
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

// movedMessages finds processors that move messages between the places where an output marks them
// and where they fail: those of batching, but for rafka's own output, whose whole batch fails then,
// and those of the outputs in a fallback.
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

// moving are the processors that drop, cut or sort messages of a batch.
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
		return nil // the batch is one message in the end, which fails as a whole
	}
	name := mover(list)
	if name == "" {
		return nil
	}
	return []string{
		fmt.Sprintf(
			"%s: %s may drop, cut or sort messages of a batch. If a part of such a batch fails, Benthos can't say "+
				"which messages it came from: one that failed may be acknowledged, which loses it. Do this in pipeline.processors",
			path,
			name,
		),
	}
}

// mover names a processor that moves messages, "" if there is none.
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

// warnAtStart logs the warnings about a config that is about to run.
func warnAtStart(config *service.ParsedConfig) error {
	root, err := config.FieldAny()
	if err != nil {
		return nil //nolint:nilerr // there is no config, hence nothing to warn of
	}
	for _, warning := range shapeWarnings(root) {
		config.Resources().Logger().Warn(warning)
	}
	return nil
}

// warnAfterLint prints the warnings about the files of a lint command. They are no lints: those
// keep a config from running.
func warnAfterLint(args []string, stderr io.Writer) {
	if len(args) < 2 || args[1] != "lint" {
		return
	}
	paths, err := service.Globs(service.OSFS(), args[2:]...)
	if err != nil {
		return // the command has said so
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

// textWarnings is shapeWarnings of a config that the linter has passed; one that is no YAML has
// none.
func textWarnings(text string) []string {
	var root any
	if yaml.Unmarshal([]byte(text), &root) != nil {
		return nil
	}
	return shapeWarnings(root)
}
