package config

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// WholeField is a field for a whole number. It is declared as one for anything: of one that is
// declared as a number the engine cuts off fractions before anybody could refuse them, and a text
// in it keeps the linter from asking the component's own check. Check it with [Fields.Whole], read
// it with [Whole].
func WholeField(name string) *service.ConfigField { return service.NewAnyField(name) }

// Whole is the number in a [WholeField] that was checked, 0 if there is none.
func Whole(conf *service.ParsedConfig, path ...string) (int, error) {
	value, err := conf.FieldAny(path...)
	if err != nil {
		return 0, err
	}
	n, _ := Fields{"": value}.Whole("", math.MinInt64, math.MaxInt64)
	return int(n), nil
}

// Size is the number of bytes in a field, at least 1. "1MB" is 1,000,000 bytes and "1MiB" is
// 1,048,576. The error names the field and the remedy.
func Size(conf *service.ParsedConfig, path ...string) (int64, error) {
	value, err := conf.FieldString(path...)
	if err != nil {
		return 0, err
	}
	return ParseSize(strings.Join(path, "."), value)
}

// PositiveDuration is the duration in a field, above zero. The error names the field and the
// remedy.
func PositiveDuration(conf *service.ParsedConfig, path ...string) (time.Duration, error) {
	value, err := conf.FieldString(path...)
	if err != nil {
		return 0, err
	}
	return ParsePositiveDuration(strings.Join(path, "."), value)
}

// ParseSize is [Size] for a value that was read already.
func ParseSize(field, value string) (int64, error) {
	n, err := humanize.ParseBytes(strings.TrimSpace(value))
	if err != nil {
		return 0, fmt.Errorf(
			"%s: %q is not a size: use a number of bytes, with or without a unit, such as 65536, 512KiB or 1MB",
			field,
			value,
		)
	}
	if n == 0 {
		return 0, fmt.Errorf("%s: must be greater than zero, and is %q: use a size such as 1MB", field, value)
	}
	if n > math.MaxInt64 {
		return 0, fmt.Errorf("%s: %q is too large: use a size such as 1MB", field, value)
	}
	return int64(n), nil
}

// ParsePositiveDuration is [PositiveDuration] for a value that was read already.
func ParsePositiveDuration(field, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf(
			"%s: %q is not a duration: use a number with a unit, such as 500ms, 5s or 2m",
			field,
			value,
		)
	}
	if d <= 0 {
		return 0, fmt.Errorf("%s: must be greater than zero, and is %q: use a duration such as 5s", field, value)
	}
	return d, nil
}
