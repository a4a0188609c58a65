package notify

import "github.com/serin-cd/serin/deployments"

// InWords is an event's message in a template's words.
func InWords(e deployments.Event, words *Template) Message { return message(e, words, 0) }
