package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// sent is what the methods that write take.
type sent struct {
	Channel     string            `json:"channel"`
	TS          string            `json:"ts"`
	Thread      string            `json:"thread_ts"`
	Broadcast   bool              `json:"reply_broadcast"`
	Text        string            `json:"text"`
	Attachments []json.RawMessage `json:"attachments"`
	Metadata    json.RawMessage   `json:"metadata"`
}

// carryOut does what a call asks for.
func (s *Server) carryOut(method string, r *http.Request) map[string]any {
	if method != "webhook" && r.Header.Get("Authorization") != "Bearer "+Token {
		return refused("invalid_auth")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return refused("invalid_json")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch method {
	case "conversations.history", "conversations.replies":
		return s.history(r.URL.Query())
	case "users.conversations":
		return s.channels(r.URL.Query())
	case "chat.postMessage", "chat.update", "webhook":
	default:
		return refused("unknown_method")
	}
	var m sent
	if err := json.Unmarshal(body, &m); err != nil {
		return refused("invalid_json")
	}
	if word := s.refuses(method, m); word != "" {
		return refused(word)
	}
	if method == "chat.update" {
		return s.update(m, body)
	}
	return s.post(m, body)
}

// refuses is Slack's word for what is wrong with a message.
func (s *Server) refuses(method string, m sent) string {
	found := Check(m.Text, m.Attachments)
	for _, p := range found {
		s.problems = append(s.problems, method+": "+p)
	}
	switch {
	case len(found) > 0:
		return "invalid_blocks"
	case method == "chat.update" && m.Channel != Channel: // it takes ids alone
		return "channel_not_found"
	case method != "webhook" && m.Channel != Channel && m.Channel != "#deploys":
		return "channel_not_found"
	}
	return ""
}

func (s *Server) post(m sent, body []byte) map[string]any {
	if m.Thread != "" && s.find(m.Thread) == nil {
		return refused("thread_not_found")
	}
	ts := fmt.Sprintf("1795183200.%06d", len(s.messages)+1)
	s.messages = append(s.messages, &Message{TS: ts, Thread: m.Thread, Broadcast: m.Broadcast, Text: m.Text, Body: string(body), Metadata: m.Metadata})
	return map[string]any{"ok": true, "channel": Channel, "ts": ts}
}

func (s *Server) update(m sent, body []byte) map[string]any {
	old := s.find(m.TS)
	if old == nil {
		return refused("message_not_found")
	}
	old.Text, old.Body, old.Metadata = m.Text, string(body), m.Metadata
	old.Edits++
	return map[string]any{"ok": true, "channel": Channel, "ts": m.TS}
}

func (s *Server) find(ts string) *Message {
	for _, m := range s.messages {
		if m.TS == ts && !m.deleted {
			return m
		}
	}
	return nil
}

// channels is what users.conversations answers: two pages of public channels, and no right to private ones.
func (s *Server) channels(q url.Values) map[string]any {
	one := func(id, name string) []map[string]any { return []map[string]any{{"id": id, "name": name}} }
	switch {
	case s.blind || q.Get("types") != "public_channel":
		return map[string]any{"ok": false, "error": "missing_scope", "needed": "channels:read"}
	case q.Get("cursor") == "":
		return map[string]any{"ok": true, "channels": one("C0GENERAL1", "general"), "response_metadata": map[string]any{"next_cursor": "next"}}
	}
	return map[string]any{"ok": true, "channels": one(Channel, "deploys")}
}

// history is what conversations.history and conversations.replies answer: pages of two, newest first.
func (s *Server) history(q url.Values) map[string]any {
	const page = 2
	switch {
	case s.blind:
		return map[string]any{"ok": false, "error": "missing_scope", "needed": "channels:history"}
	case q.Get("channel") != Channel:
		return refused("channel_not_found")
	}
	var all []map[string]any
	for _, m := range slices.Backward(s.messages) {
		if m.deleted || m.Thread != q.Get("ts") && m.TS != q.Get("ts") {
			continue
		}
		shown := map[string]any{"ts": m.TS, "text": m.Text}
		if q.Get("include_all_metadata") == "true" && len(m.Metadata) > 0 {
			shown["metadata"] = m.Metadata
		}
		all = append(all, shown)
	}
	from, _ := strconv.Atoi(q.Get("cursor"))
	end := min(from+page, len(all))
	answer := map[string]any{"ok": true, "messages": all[min(from, end):end]}
	if end < len(all) {
		answer["response_metadata"] = map[string]any{"next_cursor": strconv.Itoa(end)}
	}
	return answer
}
