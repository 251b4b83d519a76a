package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf16"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/keys"
)

// printer writes the answer of a command as text or as JSON.
type printer struct {
	out    io.Writer
	format string
}

// print writes the answer: as the JSON of value, or as what text makes of it.
func (p printer) print(value any, text func(io.Writer)) error {
	if p.format == formatJSON {
		return writeJSON(p.out, value)
	}
	columns := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	text(columns)
	return columns.Flush()
}

// printPartial is print for an answer that came with an error. One that says what is missing in the
// answer is returned once the answer is printed; with any other there is no answer.
func (p printer) printPartial(err error, value any, text func(io.Writer)) error {
	if _, partial := errors.AsType[*admin.PartialError](err); err != nil && !partial {
		return err
	}
	return errors.Join(p.print(value, text), err)
}

// writeJSON writes the value so that a terminal shows all of it: encoding/json leaves some
// characters as they are which a terminal may obey. Whatever reads the JSON sees the value itself.
func writeJSON(w io.Writer, value any) error {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeJSON(buffer.String()))
	return err
}

// escapeJSON escapes what Visible does, save the line breaks and indents of the JSON itself.
func escapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || keys.Visible(string(r)) == string(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// row writes one line of aligned columns. A cell can't make columns or lines of its own.
func row(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = keys.Visible(fmt.Sprint(cell))
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

// optional writes an offset that need not be there. 0-0 is one: the group starts at the first
// entry.
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
