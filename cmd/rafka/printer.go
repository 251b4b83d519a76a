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

// printer writes the result of a command as text or as JSON.
type printer struct {
	out    io.Writer
	format string
}

// print writes the result: value as JSON, or what the function text writes.
func (p printer) print(value any, text func(io.Writer)) error {
	if p.format == formatJSON {
		return writeJSON(p.out, value)
	}
	columns := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	text(columns)
	return columns.Flush()
}

// printPartial prints a result that came with an error. It prints an incomplete result and returns
// the error about the missing parts. Any other error comes without a result.
func (p printer) printPartial(err error, value any, text func(io.Writer)) error {
	if _, partial := errors.AsType[*admin.PartialError](err); err != nil && !partial {
		return err
	}
	return errors.Join(p.print(value, text), err)
}

// writeJSON writes the value as JSON that is safe to show on a terminal: encoding/json does not
// escape all characters that control a terminal. A JSON parser reads the original value.
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

// escapeJSON escapes the same characters as Visible, except line breaks between JSON values.
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

// row writes one line of aligned columns. It escapes tabs and line breaks in cells.
func row(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = keys.Visible(fmt.Sprint(cell))
	}
	_, _ = fmt.Fprintln(w, strings.Join(texts, "\t")) // tabwriter keeps an error for Flush
}

// none is the text for a missing value in a table.
const none = "-"

// known returns a number as text. Negative means unknown.
func known(n int64) string {
	if n < 0 {
		return none
	}
	return strconv.FormatInt(n, 10)
}

// offset returns the offset of an entry as text. No entry has 0-0.
func offset(o fmt.Stringer) string {
	if text := o.String(); text != "0-0" {
		return text
	}
	return none
}

// optional returns an offset as text, or none for nil. 0-0 is a valid offset here: the group starts
// at the first entry.
func optional[T fmt.Stringer](o *T) string {
	if o == nil {
		return none
	}
	return (*o).String()
}

// duration returns a rounded duration as text.
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

// moment returns a time in milliseconds since the epoch as text.
func moment(ms int64) string {
	if ms <= 0 {
		return none
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// listed returns a copy of the list that is never nil: its JSON is [] instead of null.
func listed[T any](list []T) []T { return append([]T{}, list...) }

// partitionCount returns "1 partition" or "n partitions".
func partitionCount(n int) string { return count(n, "partition", "partitions") }

func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
