package output

import (
	"encoding/json"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
)

// excludePrefixes is the one thing in the field metadata.
const excludePrefixes = "exclude_prefixes"

// metadataField is declared as one for anything: one that is declared as an object makes the linter
// answer a list without naming the field, and keeps it from asking check.
func metadataField() *service.ConfigField {
	return service.NewAnyField(fieldMetadata).
		Description(
			"Which metadata is left out: an object whose `" + excludePrefixes + "` lists what its keys begin with. All else is " +
				"written, strings as they are and other types as JSON. Keys that begin with `rafka_` are never written.",
		).
		Default(map[string]any{excludePrefixes: []any{}}).
		Example(map[string]any{excludePrefixes: []any{"internal_"}})
}

func checkMetadata(f config.Fields, p *config.Problems) {
	object, ok := f[fieldMetadata].(map[string]any)
	if !ok {
		p.Add(fieldMetadata, "is no object: set it to one such as {%s: [internal_]}", excludePrefixes)
		return
	}
	for name, value := range object {
		prefixes, ok := value.([]any)
		for _, prefix := range prefixes {
			_, isText := prefix.(string)
			ok = ok && isText
		}
		switch {
		case name != excludePrefixes:
			p.Add(fieldMetadata+"."+name, "is not known: the object holds %s and nothing else", excludePrefixes)
		case !ok:
			p.Add(fieldMetadata+"."+name, "is no list of texts: set it to one such as [internal_]")
		}
	}
}

// parseMetadata makes the filter of the engine from the checked field.
func parseMetadata(conf *service.ParsedConfig) (*service.MetadataExcludeFilter, error) {
	value, err := conf.FieldAny(fieldMetadata)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{fieldMetadata: value})
	if err != nil {
		return nil, err
	}
	filter, err := service.NewConfigSpec().Field(
		service.NewMetadataExcludeFilterField(fieldMetadata),
	).ParseYAML(
		string(text),
		nil,
	)
	if err != nil {
		return nil, err
	}
	return filter.FieldMetadataExcludeFilter(fieldMetadata)
}
