package jetstream

import (
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/deployments"
)

// DefaultPrefix begins every subject, stream and bucket unless another one is given.
const DefaultPrefix = "serin"

// The streams, without their prefix.
const (
	ReleasesStream = "RELEASES"
	JournalStream  = "JOURNAL"
	LeaseStream    = "LEASE"
	EventsStream   = "EVENTS"
	DLQStream      = "DLQ"
	AuditStream    = "AUDIT"
)

// The key-value buckets, without their prefix.
const (
	FlagsBucket    = "flags"
	PoliciesBucket = "policies"
	NotifyBucket   = "notify"
)

// The durable consumers.
const (
	ingestConsumer   = "ingest"
	leaseConsumer    = "w"
	dispatchConsumer = "dispatch"
)

// Names makes the names of subjects, streams and buckets. The zero value begins them with DefaultPrefix.
// Prefixes that differ only in case, or in dots and underscores, share their streams.
type Names struct {
	Prefix string // tokens of a subject, for example acme.deploy
}

var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// Validate refuses a prefix that is not made of tokens of a subject.
func (n Names) Validate() error {
	if !prefixForm.MatchString(n.prefix()) {
		return fmt.Errorf("prefix %q: write letters, digits, - and _ in parts joined by dots, such as acme.deploy", n.Prefix)
	}
	return nil
}

func (n Names) prefix() string {
	if n.Prefix == "" {
		return DefaultPrefix
	}
	return n.Prefix
}

// Subject is the prefix and the tokens, joined by dots.
func (n Names) Subject(tokens ...string) string {
	return n.prefix() + "." + strings.Join(tokens, ".")
}

// Stream is the full name of a stream: SERIN_JOURNAL.
func (n Names) Stream(name string) string {
	return strings.ToUpper(strings.ReplaceAll(n.prefix(), ".", "_")) + "_" + name
}

// Bucket is the full name of a key-value bucket: serin_policies.
func (n Names) Bucket(name string) string {
	return strings.ToLower(strings.ReplaceAll(n.prefix(), ".", "_")) + "_" + name
}

// API is the prefix under which accounts other than Serin's reach its JetStream: serin.js. It goes into
// jetstream.NewWithAPIPrefix.
func (n Names) API() string { return n.Subject("js") }

// Release is the subject on which a slot's releases arrive.
func (n Names) Release(s deployments.Slot) string { return n.Subject("release", s.Subject()) }

// Entry is the subject of a slot's journal.
func (n Names) Entry(partition int, s deployments.Slot) string {
	return n.Subject("journal", strconv.Itoa(partition), s.Subject())
}

// relative is the subject without the prefix; ok is false when it has another one.
func (n Names) relative(subject string) (string, bool) {
	return strings.CutPrefix(subject, n.prefix()+".")
}

// orDiscard is l, or a logger that says nothing.
func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
