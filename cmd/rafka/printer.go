package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// printer writes the answer of a command as text or as JSON.
type printer struct {
	out    io.Writer
	format string
}

// print writes the answer: as the JSON of value, or as what text makes of it.
func (p printer) print(value any, text func(io.Writer)) error {
	if p.format == formatJSON {
		encoder := json.NewEncoder(p.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	columns := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	text(columns)
	return columns.Flush()
}

// row writes one line of aligned columns.
func row(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
	}
	_, _ = fmt.Fprintln(w, strings.Join(texts, "\t")) // tabwriter keeps an error for Flush
}

// none stands in tables for what is not there.
const none = "-"

// known writes a number that is negative if it is not known.
func known(n int64) string {
	if n < 0 {
		return none
	}
	return strconv.FormatInt(n, 10)
}

// offset writes the offset of an entry; no entry has 0-0.
func offset(o fmt.Stringer) string {
	if text := o.String(); text != "0-0" {
		return text
	}
	return none
}

// optional writes an offset that need not be there. 0-0 is one: the group starts at the first entry.
func optional[T fmt.Stringer](o *T) string {
	if o == nil {
		return none
	}
	return (*o).String()
}

// duration writes a duration for people.
func duration(d time.Duration) string {
	switch {
	case d <= 0:
		return none
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// moment writes a time in ms since the epoch for people.
func moment(ms int64) string {
	if ms <= 0 {
		return none
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// listed makes the JSON of an empty list [] instead of null.
func listed[T any](list []T) []T { return append([]T{}, list...) }

// partitionCount writes "1 partition", "2 partitions".
func partitionCount(n int) string { return count(n, "partition", "partitions") }

func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
