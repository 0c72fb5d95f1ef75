package suite

// This file says which sentence of the RFCs a case of the catalogue is about. Own
// cases bring theirs with them.

import (
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

func rfc6455(section, sentence string) result.RFC {
	return result.RFC{Document: "RFC 6455", Section: section, Sentence: sentence}
}

func rfc7692(section, sentence string) result.RFC {
	return result.RFC{Document: "RFC 7692", Section: section, Sentence: sentence}
}

// Sentences that many cases are about.
var (
	rfcLength = rfc6455("5.2", `The length of the "Payload data", in bytes: if 0-125, that is the payload length. If 126, the following 2 bytes interpreted as a 16-bit unsigned integer are the payload length. If 127, the following 8 bytes interpreted as a 64-bit unsigned integer (the most significant bit MUST be 0) are the payload length.`)
	rfcPing   = rfc6455("5.5.2", `Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received a Close frame.`)
	rfcPong   = rfc6455("5.5.3", `A Pong frame MAY be sent unsolicited. This serves as a unidirectional heartbeat. A response to an unsolicited Pong frame is not expected.`)
	rfcCtrl   = rfc6455("5.5", `All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.`)
	rfcRSV    = rfc6455("5.2", `RSV1, RSV2, RSV3: MUST be 0 unless an extension is negotiated that defines meanings for non-zero values.`)
	rfcOpcode = rfc6455("5.2", `If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_.`)
	rfcFrag   = rfc6455("5.4", `A fragmented message consists of a single frame with the FIN bit clear and an opcode other than 0, followed by zero or more frames with the FIN bit clear and the opcode set to 0, and terminated by a single frame with the FIN bit set and an opcode of 0.`)
	rfcInject = rfc6455("5.4", `Control frames MAY be injected in the middle of a fragmented message.`)
	rfcText   = rfc6455("5.6", `Note that a particular text frame might include a partial UTF-8 sequence; however, the whole message MUST contain valid UTF-8.`)
	rfcUTF8   = rfc6455("8.1", `When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_.`)
	rfcClose  = rfc6455("5.5.1", `If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a Close frame in response.`)
	rfcAfter  = rfc6455("1.4", `[A]fter receiving a control frame indicating the connection should be closed, a peer discards any further data received.`)
	rfcBody   = rfc6455("5.5.1", `If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer (in network byte order) representing a status code with value /code/ defined in Section 7.4.`)
	rfcReason = rfc6455("5.5.1", `Following the 2-byte integer, the body MAY contain UTF-8-encoded data with value /reason/, the interpretation of which is not defined by this specification.`)
	rfcCodes  = rfc6455("7.4", `Endpoints MAY use the following pre-defined status codes when sending a Close frame.`)
	rfcRange  = rfc6455("7.4.2", `Status codes in the range 0-999 are not used.`)
	rfcEcho   = rfc6455("6.2", `If the frame comprises an unfragmented message (Section 5.4), it is said that _A WebSocket Message Has Been Received_ with type /type/ and data /data/.`)
	rfcFrames = rfc6455("5.4", `Unless specified otherwise by an extension, frames have no semantic meaning.`)
	rfcPMCE   = rfc7692("7.2.2", `Decompress the resulting data using DEFLATE.`)
	rfcBits   = rfc7692("7.1.2", `This parameter has a decimal integer value without leading zeroes between 8 to 15, inclusive, indicating the base-2 logarithm of the LZ77 sliding window size.`)
	rfcNoCtx  = rfc7692("7.1.1", `The extension parameters "server_no_context_takeover" and "client_no_context_takeover" are used for controlling context takeover.`)
)

// ruleOf lists, for ids of the catalogue, the rule; the longest prefix counts.
var ruleOf = map[string]result.RFC{
	"1.": rfcLength,
	"2.": rfcPing, "2.5": rfcCtrl, "2.7": rfcPong, "2.8": rfcPong, "2.9": rfcPong,
	"3.": rfcRSV, "4.": rfcOpcode,
	"5.": rfcFrag, "5.1": rfcCtrl, "5.2": rfcCtrl, "5.6": rfcInject, "5.7": rfcInject, "5.8": rfcInject,
	"5.19": rfcInject, "5.20": rfcInject,
	"5.10": rfcFrag, "5.11": rfcFrag, "5.12": rfcFrag, "5.13": rfcFrag, "5.14": rfcFrag, "5.15": rfcFrag,
	"5.16": rfcFrag, "5.17": rfcFrag, "5.18": rfcFrag,
	"6.": rfcText, "6.3": rfcUTF8, "6.4": rfcUTF8,
	"7.": rfcClose, "7.1.3": rfcPing, "7.1.4": rfcAfter, "7.1.5": rfcAfter, "7.1.6": rfcAfter,
	"7.3.2": rfcBody, "7.3.5": rfcReason, "7.3.6": rfcCtrl, "7.5": rfcUTF8, "7.7": rfcCodes, "7.9": rfcRange,
	"7.13": rfcRange,
	"9.":   rfcEcho, "9.3": rfcFrag, "9.4": rfcFrag, "10.": rfcFrames,
	"12.": rfcPMCE, "13.": rfcPMCE, "13.2": rfcNoCtx, "13.3": rfcBits, "13.4": rfcBits, "13.5": rfcBits,
	"13.6": rfcBits, "13.7": rfcBits,
}

// rule returns the rule of a case of the catalogue.
func rule(id string) (r result.RFC) {
	longest := 0
	for prefix, rfc := range ruleOf {
		if strings.HasPrefix(id, prefix) && len(prefix) > longest {
			r, longest = rfc, len(prefix)
		}
	}
	return r
}
