package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
)

// slackReceiver takes messages as Slack's incoming webhooks do.
type slackReceiver struct {
	server   *http.Server
	listener net.Listener
	served   chan struct{}
	show     func(notify.Message)

	mu       sync.Mutex
	messages []notify.Message
	arrived  chan struct{} // closed, and replaced, at each message
}

func listenSlack(ctx context.Context, show func(notify.Message)) (*slackReceiver, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for Slack messages: %w", err)
	}
	s := &slackReceiver{listener: l, served: make(chan struct{}), show: show, arrived: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /services/demo", s.take)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(l) // ends with ErrServerClosed, by close
	}()
	return s, nil
}

func (s *slackReceiver) url() string {
	return "http://" + s.listener.Addr().String() + "/services/demo"
}

func (s *slackReceiver) take(w http.ResponseWriter, r *http.Request) {
	const most = 100 << 10
	var m notify.Message
	if err := json.NewDecoder(io.LimitReader(r.Body, most)).Decode(&m); err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.messages = append(s.messages, m)
	close(s.arrived)
	s.arrived = make(chan struct{})
	s.mu.Unlock()
	s.show(m)
	_, _ = io.WriteString(w, "ok")
}

func (s *slackReceiver) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// await waits for the message about an event: the very one that the event demands.
func (s *slackReceiver) await(ctx context.Context, e deployments.Event) bool {
	want, ok := notify.Render(e)
	if !ok {
		return false
	}
	for {
		s.mu.Lock()
		all, more := s.messages, s.arrived
		s.mu.Unlock()
		for _, m := range all {
			if reflect.DeepEqual(m, want) {
				return true
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return false
		}
	}
}

func (s *slackReceiver) close(ctx context.Context) {
	_ = s.server.Shutdown(ctx)
	_ = s.server.Close()
	<-s.served
	http.DefaultClient.CloseIdleConnections() // the notifier's
}

// slackText is a message as lines for a terminal: what Slack shows, without its markup.
func slackText(m notify.Message) []string {
	lines := []string{m.Text}
	add := func(o notify.TextObject) {
		text := o.Text
		if !strings.HasPrefix(text, "```") { // in code a star is a star
			text = strings.ReplaceAll(text, "*", "")
		}
		lines = append(lines, strings.Split(text, "\n")...)
	}
	for _, a := range m.Attachments {
		for _, b := range a.Blocks {
			if len(b.Fields) > 0 {
				lines = append(lines, slackFields(b.Fields))
			}
			if b.Text != nil {
				add(*b.Text)
			}
			for _, o := range b.Elements {
				add(o)
			}
		}
	}
	var out []string
	for _, l := range lines {
		if l = clean(unmarked.Replace(l)); strings.Trim(l, " `") != "" {
			out = append(out, l)
		}
	}
	return out
}

// unmarked undoes Slack's escapes.
var unmarked = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "ˋ", "`")

// slackFields are facts beside each other: "Step 2 at 25 % · Author demo".
func slackFields(fields []notify.TextObject) string {
	var facts []string
	for _, f := range fields {
		facts = append(facts, strings.NewReplacer("\n", " ", "*", "").Replace(f.Text))
	}
	return strings.Join(facts, " · ")
}
