"""What a provider's error numbers mean for us: data, so that a service decides by meaning and never by number.

Source: Twilio's error and warning dictionary; names compared with the table that Courier (nyaruka/courier) keeps.
Twilio may change which number it gives for what, so a number that is not here has a safe default: see `code`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class CodeClass(StrEnum):
    """What an error means for the message, for the address and for us."""

    PERMANENT = "permanent"  # this message will never arrive; the next one may
    NO_SUCH_NUMBER = "no_such_number"  # nothing will ever arrive at this address
    UNREACHABLE = "unreachable"  # the phone is off or out of reach
    BLOCKED = "blocked"  # the person, or the network for them, blocks our sender
    OPTED_OUT = "opted_out"  # the provider holds a STOP of this number
    FILTERED = "filtered"  # taken for advertising or fraud on the way
    EXPIRED = "expired"  # it waited at the provider for longer than it was good for
    TRANSIENT = "transient"  # passing trouble; certainly not delivered
    THROTTLED = "throttled"  # too many, too fast; certainly not delivered
    CONFIGURATION = "configuration"  # our account or sender is set up wrongly: no family's fault
    OURS = "ours"  # we made a message, or a request, that nobody could take
    UNKNOWN = "unknown"  # nobody can say whether it was taken; ask before sending again


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One error of the provider, and what follows from it."""

    number: int | None
    meaning: CodeClass
    log: str  # for whoever reads the log
    staff: str  # one or two sentences for staff: what happened, and what to do
    retry: bool  # the same message may be tried again while its window lasts (UNKNOWN: once the provider was asked)
    closes_address: int | None = None  # after so many in a row the address is given up; None: never for this
    known: bool = True  # False: not in the table, judged by the status alone

    @property
    def alert(self) -> bool:
        """Whether the people who run the service should hear of it: it is more than one family's matter."""
        return self.meaning in {CodeClass.CONFIGURATION, CodeClass.OURS} or not self.known

    @property
    def stops_all(self) -> bool:
        """Whether every message of ours would be told the same, so that sending may as well wait."""
        return self.meaning is CodeClass.CONFIGURATION and self.number not in _OF_SOME


def code(number: int | None, http_status: int | None = None) -> Code:
    """Return what an error means.

    Args:
        number: The provider's own error number, where it gave one.
        http_status: The status of the answer to our request; None when a receipt told of it afterwards.

    A status of 429 was never processed; of 5xx, 408 or below 400 nobody knows. Apart from these the number decides.
    One that is not in the table ends this message and nothing else, or, where we were not let in, holds all of them.
    """
    listed = TABLE.get(number) if number is not None else None
    if http_status == 429 and (listed is None or listed.meaning is not CodeClass.THROTTLED):
        return replace(_TOO_MANY, number=number)
    unclear = http_status is not None and (http_status >= 500 or http_status == 408 or http_status < 400)
    if unclear and (listed is None or listed.meaning is not CodeClass.UNKNOWN):
        return replace(_UNCLEAR, number=number)
    if listed is not None:
        return listed
    if http_status in _NOT_LET_IN or (number is None and http_status in _NOT_TWILIO):
        return replace(_NOT_ADMITTED, number=number)
    if http_status is not None:
        return replace(_REFUSED, number=number)
    return replace(_NO_REASON if number is None else _LATER, number=number)


# Set up wrongly for one country, number or template; one such family must not hold up the others.
_OF_SOME = frozenset(
    {21408, 21606, 21608, 21621, 21659, 21703, 21709, 30010, 30018, 30024, 30034, 63015, 63040, 63041}
)
_NOT_LET_IN = frozenset({401, 403})
_NOT_TWILIO = frozenset({404, 405, 407, 421})  # without a number, so from something between us and Twilio


def _unlisted(meaning: CodeClass, log: str, staff: str, *, retry: bool = False) -> Code:
    return Code(number=None, meaning=meaning, log=log, staff=staff, retry=retry, known=False)


_TOO_MANY = _unlisted(
    CodeClass.THROTTLED, "throttled", "Twilio asks us to send more slowly. Nothing to do: it is sent a little later.",
    retry=True,
)  # fmt: skip
_UNCLEAR = _unlisted(
    CodeClass.UNKNOWN, "no clear answer",
    "Twilio gave no clear answer. It is asked what became of the message before anything is sent again.",
    retry=True,
)  # fmt: skip
_NOT_ADMITTED = _unlisted(
    CodeClass.CONFIGURATION, "not let in",
    "Our request was turned away before it was read. Check Twilio's address, account and token in the settings.",
    retry=True,
)  # fmt: skip
_REFUSED = _unlisted(
    CodeClass.PERMANENT, "refused for an unlisted reason",
    "Twilio will not take this message. Look the number of the error up at Twilio; it is new to BabyMind.",
)  # fmt: skip
_LATER = _unlisted(
    CodeClass.PERMANENT, "not delivered for an unlisted reason",
    "The message did not arrive. Look the number of the error up at Twilio; it is new to BabyMind.",
)  # fmt: skip
_NO_REASON = _unlisted(
    CodeClass.PERMANENT, "not delivered, no reason told",
    "The message did not arrive, and Twilio gave no reason. If it goes on, ask the family for another number.",
)  # fmt: skip


def _all(
    meaning: CodeClass, *rows: tuple[int, str, str], retry: bool = False, closes_address: int | None = None
) -> list[Code]:
    return [
        Code(number=number, meaning=meaning, log=log, staff=staff, retry=retry, closes_address=closes_address)
        for number, log, staff in rows
    ]


LISTED: tuple[Code, ...] = (
    *_all(
        CodeClass.NO_SUCH_NUMBER,
        (21211, "invalid to-number", "This number cannot exist. Ask the family for the right one."),
        (21217, "implausible to-number", "This does not look like a phone number. Ask the family for the right one."),
        (21604, "no to-number", "There is no number to write to. Ask the family for one."),
        (21614, "to-number is not mobile", "This is not a mobile number. Ask the family for a mobile one."),
        (21612, "no route to the number",
         "Our sender cannot reach this number. Ask the family for another one; if it hits many, check the sender."),
        (30005, "unknown handset",
         "This number is no longer in use. Ask the family for the new one: it may soon be somebody else's."),
        (30006, "landline or unreachable carrier",
         "This is a landline, or its network takes no texts. Ask the family for a mobile number."),
        (63003, "no such address on the channel", "Nobody has this number on WhatsApp. Use text messages instead."),
        (63024, "invalid recipient on the channel", "WhatsApp does not know this number. Use text messages instead."),
        closes_address=1,
    ),
    *_all(  # off for a week of two messages a day: somebody should ask
        CodeClass.UNREACHABLE,
        (30003, "handset unreachable",
         "The phone was off or out of reach. It is tried again; if it goes on for days, ask for another number."),
        retry=True, closes_address=14,
    ),
    *_all(
        CodeClass.BLOCKED,
        (30004, "blocked",
         "The person or their network blocks our texts. Ask the family, in another way, whether they want them."),
        (63014, "blocked by the person on the channel",
         "The person blocked our sender on WhatsApp. Ask them, in another way, whether they want our messages."),
        (63033, "recipient blocked on the channel",
         "WhatsApp lets this person receive nothing from us. Offer text messages instead."),
        closes_address=1,
    ),
    *_all(
        CodeClass.OPTED_OUT,
        (21610, "opted out at the provider",
         "This person said STOP. They get nothing more until they text START themselves."),
    ),
    *_all(
        CodeClass.FILTERED,
        (30007, "filtered",
         "A network took this text for advertising. If it hits several families, have the wording checked."),
        (30450, "blocked by fraud protection",
         "Twilio's fraud protection stopped this text. If the number is right, allow it in Twilio's console."),
        (63013, "against the channel's policy",
         "WhatsApp found this message against its rules. Have the wording looked at before it is used again."),
        (63026, "flagged as spam on the channel",
         "WhatsApp took this message for spam. Send fewer, and have the wording looked at."),
    ),
    *_all(
        CodeClass.EXPIRED,
        (30036, "validity expired",
         "The message waited at Twilio until it was too late for it. Nothing to do: the next one goes as planned."),
    ),
    *_all(
        CodeClass.PERMANENT,
        (30011, "mms not supported there", "This phone cannot get pictures by text. Send a link instead."),
        (63016, "outside the channel's window",
         "On WhatsApp we may write freely for a day after a reply. Use an approved template, or a text message."),
        (63025, "media already there", "WhatsApp says that it has this picture already. Nothing to do."),
        (63029, "template not downloaded",
         "The phone could not load the WhatsApp template. If it happens again, use a text message."),
        (63032, "held back by the channel",
         "WhatsApp does not deliver this message to this person. Use a text message."),
        (63049, "marketing limit of the channel",
         "WhatsApp held this back as one advertisement too many for this person. Use a text message."),
    ),
    *_all(
        CodeClass.TRANSIENT,
        (30008, "unknown delivery error",
         "The network gave no reason. It is tried again; if it goes on, ask the family for another number."),
        (30017, "carrier congestion", "The mobile network was overloaded. Nothing to do: it is tried again."),
        (30020, "internal scheduling failure", "Twilio failed to send on time. Nothing to do: it is tried again."),
        (30021, "internal service failure", "Twilio failed inside. Nothing to do: it is tried again."),
        (30410, "carrier time-out", "The mobile network did not answer Twilio. Nothing to do: it is tried again."),
        (63009, "channel server error", "WhatsApp had a fault. Nothing to do: it is tried again."),
        (63010, "platform error on the channel",
         "Twilio had a fault on its way to WhatsApp. Nothing to do: it is tried again."),
        (63012, "channel internal error", "WhatsApp failed inside. Nothing to do: it is tried again."),
        (63023, "channel generic error", "WhatsApp gave no reason. Nothing to do: it is tried again."),
        retry=True,
    ),
    *_all(
        CodeClass.THROTTLED,
        (14107, "send rate exceeded", "We sent faster than this sender may. Nothing to do: it goes a little later."),
        (20429, "too many requests", "Too many requests at once for Twilio. Nothing to do: it goes a little later."),
        (21611, "sender queue full",
         "This sender's queue at Twilio is full. It goes later; if it happens daily, add a sender."),
        (30001, "queue overflow", "Twilio's queue overflowed. It is sent again more slowly; if often, add a sender."),
        (30022, "10dlc rate exceeded", "The US rate of our campaign was reached. Nothing to do: it goes later."),
        (30023, "10dlc daily cap", "The US daily limit of our campaign was reached. Ask Twilio for a higher one."),
        (30027, "t-mobile daily cap", "T-Mobile's daily limit for us was reached. Ask Twilio for a higher one."),
        (63017, "account rate exceeded", "Too many messages a second for our account. Nothing to do: it goes later."),
        (63018, "channel rate exceeded", "Too many messages for WhatsApp at once. Nothing to do: it goes later."),
        (63038, "daily message limit",
         "Our account's daily limit was reached. Ask Twilio to raise it; what is due waits."),
        retry=True,
    ),
    *_all(
        CodeClass.CONFIGURATION,
        (10001, "account not active", "Our Twilio account is not active. Open it again at Twilio; messages wait."),
        (10002, "not for trial accounts", "A Twilio trial account may not do this. Upgrade it; messages wait."),
        (20003, "credentials refused",
         "Twilio does not accept our account and token. Check both in the settings; messages wait."),
        (20004, "method not allowed",
         "What answers is not Twilio. Check its address in the settings; messages wait."),
        (20005, "account closed or suspended",
         "Twilio has suspended our account, perhaps for its balance. Settle it with Twilio; messages wait."),
        (20006, "access denied", "Our Twilio key may not send messages. Use one that may; messages wait."),
        (20008, "test credentials", "The settings hold Twilio's test credentials. Put the live ones; messages wait."),
        (20010, "action disabled", "Twilio has switched sending off for our account. Ask Twilio; messages wait."),
        (20403, "forbidden", "Twilio forbids this to our account. Check its permissions; messages wait."),
        (20404, "no such account", "Twilio knows no such account. Check the account in the settings; messages wait."),
        (21212, "invalid sender",
         "Our sender is no number that Twilio knows. Check it in the settings; messages wait."),
        (21408, "country not enabled",
         "Texts to this country are switched off. Allow it in Twilio's console under geographic permissions."),
        (21601, "sender without sms", "Our number cannot do text messages. Choose one that can; messages wait."),
        (21603, "no sender",
         "No sender is named. Put a number or a messaging service in the settings; messages wait."),
        (21606, "sender not usable", "Our number cannot send to this country or is not ours. Check it at Twilio."),
        (21607, "trial sender", "A trial account sends from its trial number only. Upgrade it; messages wait."),
        (21608, "unverified on trial",
         "A trial account writes to verified numbers only. Verify this one at Twilio, or upgrade the account."),
        (21609, "invalid status address",
         "Twilio cannot use our address for receipts. Check the public address in the settings; messages wait."),
        (21616, "ambiguous sender", "Our sender stands for several numbers at Twilio. Name one in the settings."),
        (21621, "sender without mms", "Our number cannot send pictures. Choose one that can."),
        (21622, "account without mms", "Our account cannot send pictures. Ask Twilio to allow it."),
        (21626, "invalid status event",
         "Twilio rejects how we ask for receipts. Tell the developers; messages wait."),
        (21659, "sender not at twilio", "Our sender is no Twilio number, or of another country. Check it at Twilio."),
        (21660, "sender of another account",
         "Our sender belongs to another Twilio account. Check both; messages wait."),
        (21661, "sender not sms-capable", "Our sender is not open for texts. Open it at Twilio; messages wait."),
        (21701, "no such messaging service", "The messaging service in the settings does not exist. Correct it."),
        (21702, "messaging service not available",
         "Our messaging service cannot send at present. Look at it in Twilio's console; messages wait."),
        (21703, "messaging service without a fitting number",
         "Our messaging service has no number that may send there. Add one at Twilio; messages wait."),
        (21704, "messaging service without numbers",
         "Our messaging service has no numbers at all. Add one at Twilio; messages wait."),
        (21705, "invalid messaging service",
         "What the settings call a messaging service is none. Correct it there; messages wait."),
        (21709, "invalid alphanumeric sender",
         "Our sender's name is not allowed there. Register it with Twilio, or use a number; messages wait."),
        (30002, "account suspended",
         "Twilio suspended our account after taking this. Settle it with Twilio at once."),
        (30010, "price above the limit", "This text costs more than our limit at Twilio allows. Raise the limit."),
        (30018, "sender not registered with the carrier",
         "This network wants our sender registered first. Register it with Twilio."),
        (30024, "numeric sender not provisioned",
         "This network does not accept our number as a sender. Ask Twilio which kind it accepts."),
        (30032, "toll-free number not verified",
         "Our toll-free number is not verified. Verify it in Twilio's console."),
        (30034, "number without a campaign",
         "Our US number belongs to no approved campaign. Register it in Twilio's console."),
        (63001, "channel authentication failed", "WhatsApp does not accept our account. Connect it again at Twilio."),
        (63002, "channel does not know the sender", "WhatsApp does not know our sender. Register it at Twilio."),
        (63007, "no channel for the sender", "Our sender is not set up for WhatsApp. Set it up in Twilio's console."),
        (63008, "channel misconfigured", "Our WhatsApp channel is set up wrongly. Look at it in Twilio's console."),
        (63015, "sandbox not joined",
         "We send through Twilio's WhatsApp sandbox, which this person has not joined. Use a real sender."),
        (63020, "business account error", "Meta has a problem with our business account. Look at it with Meta."),
        (63022, "invalid display name", "WhatsApp no longer accepts our display name. Renew it at Twilio."),
        (63040, "template rejected", "WhatsApp rejected our template. Submit another one; text messages go on."),
        (63041, "template paused", "WhatsApp paused our template after complaints. Improve it; text messages go on."),
        (90010, "account inactive", "Twilio calls our account inactive. Ask Twilio why; messages wait."),
        retry=True,
    ),
    *_all(
        CodeClass.OURS,
        (11751, "media too large", "The picture in this message is too large for the network. Use a smaller one."),
        (20001, "unknown parameter", "We asked Twilio for something it does not know. Tell the developers."),
        (20422, "invalid parameter", "We asked Twilio for something it does not allow. Tell the developers."),
        (21602, "empty body", "The text of this message was empty. Correct it in the content."),
        (21617, "body too long", "This text is longer than 1,600 characters. Shorten it in the content."),
        (21618, "body cannot be sent", "This text holds characters that cannot be sent. Correct it in the content."),
        (21620, "invalid media address", "Twilio cannot use the address of a picture. Tell the developers."),
        (21623, "too many media", "This message has more than ten pictures. Take some out in the content."),
        (21624, "invalid validity", "We gave Twilio an impossible time limit. Tell the developers."),
        (21654, "no content id", "A template was to be used, and none was named. Tell the developers."),
        (21655, "invalid content id", "The template that we named does not exist at Twilio. Tell the developers."),
        (21656, "invalid content variables",
         "What we filled into the template does not fit it. Tell the developers."),
        (21910, "channels do not match", "We mixed a text number and a WhatsApp one. Tell the developers."),
        (30012, "validity too small", "We gave Twilio too short a time limit. Tell the developers."),
        (30013, "validity too long", "We gave Twilio too long a time limit. Tell the developers."),
        (30014, "invalid to-attributes", "We addressed this message wrongly. Tell the developers."),
        (30015, "unsupported channel", "We used a channel that Twilio does not offer here. Tell the developers."),
        (30016, "incompatible channels", "Sender and recipient are on different channels. Tell the developers."),
        (30019, "content too large",
         "This message is too large for the network. Shorten it, or use smaller pictures."),
        (35111, "no send time", "A message was to be scheduled, with no time. Tell the developers."),
        (35114, "send time out of range", "The time to send at is too near or too far. Tell the developers."),
        (35115, "send time too far", "The time to send at cannot be scheduled. Tell the developers."),
        (35118, "scheduling without a service", "Scheduling needs a messaging service. Tell the developers."),
        (63005, "content not accepted", "WhatsApp does not accept this content. Have the message looked at."),
        (63006, "content not formatted", "This content cannot be put into WhatsApp's form. Have it looked at."),
        (63011, "invalid channel request", "Our request to WhatsApp was wrong. Tell the developers."),
        (63019, "media not fetched", "WhatsApp could not load our picture. Check that its address opens."),
        (63021, "invalid channel content", "WhatsApp calls this content invalid. Have the message looked at."),
        (63027, "template missing for the language",
         "The template does not exist in this language. Add it at Twilio."),
        (63028, "template parameters missing", "The template has other blanks than we filled. Tell the developers."),
        (63030, "unsupported channel parameter", "WhatsApp does not know something we asked. Tell the developers."),
        (63031, "same from and to", "We wrote to our own number on WhatsApp. Correct the family's number."),
        (63034, "channel media too large", "The picture is too large for WhatsApp. Use one below five megabytes."),
        (90007, "invalid validity period", "The time limit we gave Twilio is no number. Tell the developers."),
    ),
    *_all(
        CodeClass.UNKNOWN,
        (20500, "internal server error",
         "Twilio had a fault while it took this. It is asked what became of it before anything is sent again."),
        (20503, "service unavailable",
         "Twilio could not be used for a moment. It is asked what became of this before anything is sent again."),
        retry=True,
    ),
)  # fmt: skip
TABLE = {listed.number: listed for listed in LISTED}
