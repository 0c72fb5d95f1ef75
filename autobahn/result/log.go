package result

// This file holds the two kinds of records that the format writes as JSON arrays
// of mixed types: entries of the wire log, and events. Each is a struct here, with
// the translation beside it. Both are read back exactly as they were written.

import (
	"encoding/json"
	"fmt"
)

// Kinds of [LogEntry].
const (
	LogTxOctets     = "TO"  // Data, Sync
	LogRxOctets     = "RO"  // Data
	LogTxFrame      = "TF"  // Data, Opcode, Fin, RSV, Mask, Repeat, Chop, Sync
	LogRxFrame      = "RF"  // Data, Opcode, Fin, RSV, Masked, Mask
	LogContinue     = "CT"  // Delay, Tag: the case goes on after Delay
	LogContinued    = "CTE" // Tag
	LogKillAfter    = "KL"  // Delay: the suite fails the connection then
	LogKilled       = "KLE"
	LogCloseAfter   = "TI" // Delay: the suite sends a close frame then
	LogClosed       = "TIE"
	LogWirelogState = "WLM" // On: what follows is logged, or not
)

// LogEntry is one line of a wire log. Kind says which of the other fields are used.
type LogEntry struct {
	Kind   string
	Data   Snippet
	Sync   bool    // the suite waited for this write before the next
	Opcode int     //
	Fin    bool    //
	RSV    int     // RSV1 is 4, RSV2 is 2, RSV3 is 1
	Masked bool    // RF only
	Mask   *string // the masking key in hex, nil when there is none
	Repeat *int    // the payload is Data repeated to this length
	Chop   *int    // the frame was written in pieces of so many octets
	Delay  float64 // seconds
	Tag    *string //
	On     bool    //
}

// Snippet is the beginning of some octets: text where they are UTF-8, else hex
// after "0x" (in TO and RO always hex, without "0x"); " ..." where it was cut.
type Snippet struct {
	Len  int // of the whole
	Text string
}

// MarshalJSON writes [length, text].
func (s Snippet) MarshalJSON() ([]byte, error) { return json.Marshal([]any{s.Len, s.Text}) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Snippet) UnmarshalJSON(b []byte) error { return unmarshalArray(b, &s.Len, &s.Text) }

// MarshalJSON writes the entry as an array that begins with its kind.
func (e LogEntry) MarshalJSON() ([]byte, error) {
	fields, err := e.fields()
	if err != nil {
		return nil, err
	}
	return json.Marshal(append([]any{e.Kind}, fields...))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *LogEntry) UnmarshalJSON(b []byte) error {
	var head []json.RawMessage
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if len(head) == 0 {
		return fmt.Errorf("autobahn: empty wire log entry")
	}
	*e = LogEntry{}
	if err := json.Unmarshal(head[0], &e.Kind); err != nil {
		return err
	}
	fields, err := e.fields()
	if err != nil {
		return err
	}
	return unmarshalArray(b, append([]any{&e.Kind}, fields...)...)
}

// fields returns pointers to the fields that an entry of this kind uses, in the
// order of the format; encoding/json writes through them as well as it reads.
func (e *LogEntry) fields() ([]any, error) {
	switch e.Kind {
	case LogTxOctets:
		return []any{&e.Data, &e.Sync}, nil
	case LogRxOctets:
		return []any{&e.Data}, nil
	case LogTxFrame:
		return []any{&e.Data, &e.Opcode, &e.Fin, &e.RSV, &e.Mask, &e.Repeat, &e.Chop, &e.Sync}, nil
	case LogRxFrame:
		return []any{&e.Data, &e.Opcode, &e.Fin, &e.RSV, &e.Masked, &e.Mask}, nil
	case LogContinue:
		return []any{&e.Delay, &e.Tag}, nil
	case LogContinued:
		return []any{&e.Tag}, nil
	case LogKillAfter, LogCloseAfter:
		return []any{&e.Delay}, nil
	case LogKilled, LogClosed:
		return nil, nil
	case LogWirelogState:
		return []any{&e.On}, nil
	}
	return nil, fmt.Errorf("autobahn: unknown wire log entry %q", e.Kind)
}

// Kinds of [Event].
const (
	EventMessage = "message" // Text, Binary
	EventPong    = "pong"    // Text
	EventTimeout = "timeout" // Text is the tag of the wait that ran out
)

// Event is something that happened to the suite during a case.
type Event struct {
	Kind   string
	Text   string // as in [Snippet]
	Binary bool
}

// MarshalJSON writes the event as an array that begins with its kind.
func (e Event) MarshalJSON() ([]byte, error) {
	if e.Kind == EventMessage {
		return json.Marshal([]any{e.Kind, e.Text, e.Binary})
	}
	return json.Marshal([]any{e.Kind, e.Text})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Event) UnmarshalJSON(b []byte) error {
	*e = Event{}
	return unmarshalArray(b, &e.Kind, &e.Text, &e.Binary)
}

// unmarshalArray reads the JSON array b into fields, in order. The array may be
// shorter than the list of fields, never longer.
func unmarshalArray(b []byte, fields ...any) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	if len(raw) > len(fields) {
		return fmt.Errorf("autobahn: %d elements in an array of %d", len(raw), len(fields))
	}
	for i, r := range raw {
		if err := json.Unmarshal(r, fields[i]); err != nil {
			return err
		}
	}
	return nil
}
