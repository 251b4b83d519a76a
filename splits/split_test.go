package splits

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// oddSplits are splits whose names contain the separators of the text forms.
var oddSplits = []Split{
	{Topic: "orders", Partition: 3, Key: "orders:3"},
	{Topic: "plain", Partition: 0, Key: "plain"},
	{Topic: "{tag}a/b", Partition: 10, Key: "{tag}a/b:10"},
	{Topic: "100%/ %2F", Partition: 0, Key: "%:0"},
	{Topic: `"quoted" \ ä`, Partition: 1, Key: "\n"},
	{},
}

func TestSplitIDNamesTopicAndPartition(t *testing.T) {
	s := Split{Topic: "orders", Partition: 3, Key: "orders:3"}
	assert.Equal(t, "orders-3", s.ID())
	assert.Equal(t, "orders-3", s.String())
}

func TestSplitsWithOneIDAreDistinct(t *testing.T) {
	a, b := Split{Topic: "a-1", Partition: 0, Key: "a-1:0"}, Split{Topic: "a-1", Partition: 0, Key: "a-1"}
	assert.Equal(t, a.ID(), b.ID())
	assert.Len(t, map[Split]bool{a: true, b: true}, 2)
}

func TestSplitTextForm(t *testing.T) {
	text, err := Split{Topic: "a/b", Partition: 3, Key: "a/b:3"}.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "a%2Fb/3/a%2Fb:3", string(text))
}

func TestSplitTextIsReadBackExactly(t *testing.T) {
	for _, want := range oddSplits {
		text, err := want.MarshalText()
		require.NoError(t, err)
		var got Split
		require.NoError(t, got.UnmarshalText(text), "%q", text)
		assert.Equal(t, want, got)
	}
}

func TestInvalidSplitTextIsRejected(t *testing.T) {
	for _, text := range []string{
		"", "a", "a/1", "a/1/b/c", "a/x/b", "a/-1/b", "a//b", "%/1/b", "a/1/%zz", "a/9999999999999999999999/b",
	} {
		kept := Split{Topic: "kept"}
		err := kept.UnmarshalText([]byte(text))
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), "split", text)
		assert.Equal(t, Split{Topic: "kept"}, kept, "a failed read must not leave half a split")
	}
}

func TestSplitJSONForm(t *testing.T) {
	data, err := json.Marshal(Split{Topic: "orders", Partition: 3, Key: "orders:3"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"stream_name":"orders","partition_id":3,"id":"orders-3","key":"orders:3"}`, string(data))
}

func TestSplitJSONIsReadBackExactly(t *testing.T) {
	for _, want := range oddSplits {
		data, err := json.Marshal(want)
		require.NoError(t, err)
		var got Split
		require.NoError(t, json.Unmarshal(data, &got), "%s", data)
		assert.Equal(t, want, got)
	}
	var got Split
	require.NoError(t, json.Unmarshal([]byte(`{"stream_name":"orders","partition_id":3,"key":"orders:3"}`), &got))
	assert.Equal(t, Split{Topic: "orders", Partition: 3, Key: "orders:3"}, got, "without an id")
}

func TestInvalidSplitJSONIsRejected(t *testing.T) {
	for _, data := range []string{`[]`, `"a"`, `{"partition_id":"1"}`, `{"partition_id":1.5}`, `{"partition_id":-1}`} {
		var got Split
		err := json.Unmarshal([]byte(data), &got)
		require.Error(t, err, data)
		assert.Contains(t, err.Error(), "split", data)
	}
}

func FuzzSplitText(f *testing.F) {
	f.Add("orders/3/orders:3")
	f.Add("a%2Fb/0/%25")
	f.Fuzz(func(t *testing.T, text string) {
		var s Split
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		written, err := s.MarshalText()
		require.NoError(t, err)
		var again Split
		require.NoError(t, again.UnmarshalText(written))
		require.Equal(t, s, again)
	})
}
