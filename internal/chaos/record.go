package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Files of a run's directory.
const (
	ScriptFile      = "script.json"
	RunFile         = "run.json"
	FaultsFile      = "faults.jsonl"
	EvaluationsFile = "evaluations.jsonl"
	StoreFile       = "flagstore.calls.jsonl"
	SubscriberFile  = "subscriber.calls.jsonl"
	WebhookFile     = "webhook.calls.jsonl"
)

// The raw streams, each in a file of its name and .jsonl.
const (
	JournalStream = "SERIN_JOURNAL"
	EventsStream  = "SERIN_EVENTS"
	FlagsStream   = "KV_serin_flags"
	DLQStream     = "SERIN_DLQ"
)

// StreamFile is the file with a raw stream.
func StreamFile(stream string) string { return stream + ".jsonl" }

// Run is what the audit must know besides the script.
type Run struct {
	Interval time.Duration `json:"interval"` // of the rules, in nanoseconds
	Begin    time.Time     `json:"begin"`
	End      time.Time     `json:"end"`      // until then rollouts were alive
	Complete bool          `json:"complete"` // every release of the script was played to its end
}

// Call is one call of a helper process.
type Call struct {
	Key     string    `json:"key"`
	At      time.Time `json:"at"`
	Visible bool      `json:"visible"`          // it had an effect; a helper drops a key that it has had
	Target  string    `json:"target,omitempty"` // the service
	Share   int       `json:"share,omitempty"`  // of the flag store, in basis points
	Stream  uint64    `json:"stream,omitempty"` // sequence, of the subscriber
}

// Evaluation is one question that the Prometheus stub was asked.
type Evaluation struct {
	At      time.Time `json:"at"`
	By      string    `json:"by"` // worker.incarnation
	Service string    `json:"service"`
	Version string    `json:"version"`
}

// FaultKind is a class of faults.
type FaultKind string

// The faults.
const (
	KillWorker FaultKind = "kill_worker" // kill -9
	StopWorker FaultKind = "stop_worker" // SIGSTOP for longer than a lease, then SIGCONT
	CutWorker  FaultKind = "cut_worker"  // its connection to NATS is dead
	KillServer FaultKind = "kill_server" // kill -9 of one server of a cluster
	Outage     FaultKind = "outage"      // kill -9 of all servers, one or three
)

// Fault is harm that was done.
type Fault struct {
	Kind   FaultKind `json:"kind"`
	Target string    `json:"target"` // worker.incarnation, or a server
	From   time.Time `json:"from"`
	To     time.Time `json:"to"` // when the process was itself again; a killed worker is another incarnation then
}

// Message is a message of a raw stream.
type Message struct {
	Sequence uint64          `json:"sequence"`
	Subject  string          `json:"subject"`
	At       time.Time       `json:"at"`
	Header   Header          `json:"header,omitempty"`
	Data     json.RawMessage `json:"data"` // a string where the body is no JSON
}

// Header is that of a message.
type Header map[string][]string

// Lines writes records, one JSON object a line. It is safe for concurrent use. Each line is written at once: its writer
// may be killed.
type Lines struct {
	mu   sync.Mutex
	file *os.File
}

// Append opens a file for further lines.
func Append(path string) (*Lines, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return &Lines{file: file}, nil
}

// Write adds a record.
func (l *Lines) Write(record any) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.file.Write(append(text, '\n'))
	return err
}

// Close ends the file. All lines are written already.
func (l *Lines) Close() { _ = l.file.Close() }

// ReadLines reads all records of a file. One that does not exist has none.
func ReadLines[T any](path string) ([]T, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var out []T
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var record T
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, fmt.Errorf("%s line %d: %w", path, len(out)+1, err)
		}
		out = append(out, record)
	}
	return out, lines.Err()
}

// WriteJSON writes a file with one value.
func WriteJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// ReadJSON reads a file with one value.
func ReadJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
