"""The forms of statements that last, when nothing marks them as such: a table per form.

What merely looks like one of them is refused by `claims_doubt`.
"""

import re
from typing import NamedTuple

from hermes.store.claim import MemoryType


class Rule(NamedTuple):
    """A form: its name, what kind of memory it makes, whether the person's word is enough."""

    name: str
    memory_type: MemoryType
    pattern: re.Pattern[str]
    asserted: bool = True


def _rule(name: str, kind: MemoryType, *patterns: str, asserted: bool = True) -> Rule:
    return Rule(name, kind, re.compile("(?i)^(?:" + "|".join(patterns) + ")"), asserted)


_ASIDE = (
    r"(?:(?:in this (?:project|repo(?:sitory)?|codebase)|at (?:work|our company)|for [^,]{3,40}|"
    r"after [^,]{3,60}|in (?:production|staging|ci|general)|here|yesterday|last week|in the meeting),? )?"
)

DECIDED = _rule(
    "decided", "decision",
    _ASIDE + r"(?:we|i|the team|my team)(?:'ve| have)?(?: just| now| finally| all)? (?:decided|agreed|settled|"
    r"chose|have chosen|opted)(?! nothing| yet| later| so far)(?: (?:to|that|on|for|against|not to))? .{3,}$",
    r"(?:wir|ich) haben? (?:uns )?(?:entschieden|beschlossen|geeinigt|vereinbart)\b.{3,}$",
    r"wir haben uns (?:f[üu]r|gegen|auf) .{3,}(?:entschieden|geeinigt)$",
    r"(?:nous avons|on a|j'ai) (?:d[ée]cid[ée]|choisi|convenu)\b.{3,}$",
    r"(?:hemos|he) (?:decidido|acordado|elegido)\b.{3,}$",
)  # fmt: skip

WE_USE = _rule(
    "we use", "decision",
    _ASIDE + r"(?:we|the team|this (?:project|repo(?:sitory)?|codebase|team)|our (?:team|project|company))"
    r"(?:'re| are|'ve| have)?(?: only| now| currently| all| both| mostly| generally| usually|"
    r" still)? (?:use|uses|using|prefer|prefers|follow|follows|deploy|deploys|run|runs|host|hosts|"
    r"keep|keeps|store|stores|write|writes|target|targets|require|requires|support|supports|build|"
    r"builds|release|releases|tag|tags|name|names|switched|moved|migrated|standardi[sz]ed|adopted|"
    r"no longer|stopped|don'?t|do not|work|ship|ships|sign|squash|rebase|lint|format|indent|branch|cache|"
    r"monitor|seriali[sz]e|track|install|pin|document|log|version)\b.{3,}$",
    r"(?:hier |im projekt |wir )(?:be)?(?:nutzen|verwenden|setzen|bevorzugen|nehmen|arbeiten)\b(?: wir)? .{3,}$",
    r"(?:nous|on) (?:utilis(?:ons|e)|employ(?:ons|e)|pr[ée]f[ée]r(?:ons|e)|d[ée]ploy(?:ons|e)) .{3,}$",
    r"(?:nosotros |aqu[íi] |en este proyecto )?(?:usamos|utilizamos|preferimos|desplegamos|trabajamos con) .{3,}$",
)  # fmt: skip

ALWAYS = _rule(
    "always", "pattern",
    r"(?:in this (?:project|repo) )?(?:please |you (?:should|must) |we (?:should )?)?"
    r"(?:always|never|don'?t ever|do not ever)\s.{4,}$",
    r"(?:wir |du sollst )?(?:immer|nie|niemals)\s.{4,}$",
    r"\w+ (?:bitte |wir )?(?:immer|nie|niemals)\s.{4,}$",
    r"(?:toujours|ne (?:jamais|\w+ jamais)|n'\w+ jamais|jamais)\s.{4,}$",
    r"(?:siempre|nunca)\s.{4,}$",
    r"(?:(?:every|each) time|whenever|before (?:each|every)|after (?:each|every)) .{3,80}?, .{4,}$",
)  # fmt: skip

PREFER = _rule(
    "prefer", "decision",
    _ASIDE + r"(?:i|we)(?:'d| would)?(?: really| much| generally| strongly| always)? (?:prefer(?! not\b)|rather have|like)"
    r" .{2,}?(?: over | to | instead of | rather than | than |, not | better| more than ).*$",
    r"(?:i|we)(?: really| much| generally| strongly| usually)? prefer (?!not\b|it\b|that\b|this\b|if\b|to (?:see|know|not)\b).{2,}$",
    r"my (?:preferred|favou?rite|default|usual) .{2,40} (?:is|are) .{2,}$",
    r"i(?:'d| would) like you to always .{4,}$",
    r"ich (?:bevorzuge|mag lieber|h[äa]tte lieber|m[öo]chte lieber) .{2,}$",
    r"je pr[ée]f[èe]re .{2,}$", r"prefiero .{2,}$",
)  # fmt: skip

CONTRAST = _rule(
    "contrast", "correction",
    r"(?:(?:it'?s |that'?s )?not (?!an? |the )(?P<no>[^,]{2,60}?),? but (?P<yes>.{2,80})|"
    r"(?P<what>the .{2,40}? (?:is|are)) not (?P<no2>[^,]{2,60}?),? but (?P<yes2>.{2,80}))$",
)  # fmt: skip

FACT = _rule(
    "fact", "fact",
    r"my (?!(?:question|problem|issue|point|guess|idea|bad|mistake|concern|goal|plan|next|last|first|"
    r"apologies|code|test|tests|build|function|understanding|theory|hope|fault|computer|screen|"
    r"script|changes?|branch|commit|pr|pull request|answer)\b)[\w -]{2,40}?(?:'s name)? (?:is|are|lives?|works?|"
    r"was born|prefers?|hates?|loves?|speaks?|has|have|starts?|goes|moved) .{2,}$",
    r"(?:you can )?call me [\w -]{2,30}$",
    r"i (?:live|work(?: at| as| for| in)|moved to|speak|was born|grew up|study|studied|have (?:a|an|two|"
    r"three|four|\d+) (?:\w+ )?(?:dog|cat|son|daughter|child|children|kid|kids|sister|brother|wife|"
    r"husband|partner|allergy|pet)\w*|own an?|drive an?|play the|don'?t (?:eat|drink)|"
    r"do not (?:eat|drink))\b.*$",
    r"i(?:'m| am) (?:allergic|vegetarian|vegan|married|retired|based in|living in|"
    r"working (?:at|as|for)|an? (?:[\w-]+ )?(?:engineer|developer|teacher|student|nurse|doctor|"
    r"designer|scientist|lawyer|writer|manager))\b.*$",
    r"ich (?:wohne|lebe|arbeite|hei[sß]{1,2}e|bin allergisch|bin vegetarier)\b.{2,}$",
    r"mein[e]? [\w -]{2,30} (?:ist|hei[sß]{1,2}t|wohnt|lebt) .{2,}$",
    r"(?:j'habite|je travaille|je m'appelle|je suis (?:allergique|v[ée]g[ée]tarien\w*)) .{1,}$",
    r"(?:vivo en|trabajo en|trabajo como|me llamo|soy al[ée]rgic[oa]) .{2,}$",
)  # fmt: skip

_OUR = r"(?:the|our|all|every|each)\s[\w/.`\" '-]{2,60}?\s"

STRUCTURE = _rule(
    "structure", "architecture",
    _ASIDE + _OUR + r"(?:lives?|live|is|are|sits?|resides?) (?:in|under|stored|kept|hosted|deployed|"
    r"written in|built (?:with|in|by)|generated|called|named|served|managed|located|defined in|behind|licensed|"
    r"versioned|owned by|maintained by)\b.{2,}$",
    _ASIDE + _OUR + r"(?:runs? (?:on|in|at|every)|listens? (?:on|at)|depends? on|talks? to|connects? to|"
    r"goes? (?:to|in|into|through|under)|belongs? (?:in|to|under)|expires? after|should (?:always|never))\b.{2,}$",
    r"our (?!(?:problem|issue(?! tracker)|build|tests?|next|last|question|goal|plan)\b)[\w /'-]{2,40}? (?:is|are) .{2,}$",
    r"(?:unser\w* |die |der |das )[\w /.-]{2,40}? (?:liegt|liegen|l[äa]uft|hei[sß]{1,2}t|lauscht) .{2,}$",
    r"(?:notre |nos |la |le |les )[\w /.-]{2,40}? (?:se trouve(?:nt)?|tourne|[ée]coute|s'appelle) .{2,}$",
    r"(?:nuestr[oa]s? |el |la |los |las )[\w /.-]{2,40}? (?:est[áa]n? en|vive en|corre en|escucha en|se llama) .{2,}$",
)  # fmt: skip

LETS = _rule(
    "let's", "decision",
    r"(?:let'?s|we should|we'll|we will|lass uns|on va|vamos a) (?:always )?(?:use|go with|stick (?:with|to)|"
    r"standardi[sz]e on|switch to|keep to|adopt|follow|verwenden|nehmen|utiliser|usar)\b.{2,}$",
    r"(?:use|stick to|stick with|prefer|avoid|nimm|verwende|benutze|utilise|usa) .{3,}$",
    asserted=False,
)  # fmt: skip

_VERB = (
    r"is|are|has|have|had|must|belongs?|owns?|lives?|runs?|sits?|works?|goes|go|comes?|uses?|wants?|sends?|holds?|"
    r"carry|carries|reads?|talks?|listens?|depends?|expires?|ends?|starts?|begins?|times? out|gives? up|stands?|"
    r"means?|needs?|requires?|takes?|lints?|hosts?|keeps?|stores?|branch|releases?|encodes?|supports?|maintains?|speaks?|"
    r"prefers?|likes?|builds?|ships?|serves?|lies|lasts?|gets?|stays?|costs?|counts?|closes?|opens?|happens?|follows?|gilt|ist|sind|hat|liegt|l[äa]uft|laufen|hei[sß]{1,2}t|steht|stehen|gilt|"
    r"est|sont|tournent|sortent|a|ont|es|son|est[áa]n?|tiene|usamos|ejecutan|instalan|erfassen|installieren|starten"
)

STATEMENT = _rule(
    "said", "fact",
    r"(?!(?:please|can|could|let|look|make|show|tell|give|add|remove|delete|fix|run|use|try|check|open|"
    r"write|rename|change|put|take|go|leave|do|don'?t|stop|start|see|explain|help|if|when|while|as)\b)"
    r"[^\s,;:]+(?: [^\s,;:]+){0,6}? (?:" + _VERB + r")\s\S.*$",
    asserted=False,
)  # fmt: skip

RULES = (DECIDED, WE_USE, PREFER, ALWAYS, FACT, STRUCTURE, LETS, STATEMENT)
"""In the order in which they are tried."""

FORGET = re.compile(
    r"(?i)^(?:please |ok(?:ay)?,? |actually,? )*(?:(?:forget|scratch) (?:about )?(?:that|this|it)(?: again| please)?|"
    r"forget (?:about )?(?:what i (?:said|told you)(?: earlier| before)? (?:about|on|regarding) |everything (?:about|on) |"
    r"that |about )?(?P<about>[^:]+?)(?:, (?:it|that|this) (?:no longer|does not|doesn'?t) .*|, please| again| please)?|"
    r"(?:you can )?stop remembering (?:that )?(?P<about2>.+)|"
    r"(?:that(?:'s| is)|this is) no longer (?:true|the case|valid|correct|needed)|"
    r"(?:don'?t|do not) remember (?:that|this|it)(?: any ?more)|"
    r"vergiss (?:das|es)(?: wieder| bitte)?|vergiss,? (?:dass )?(?P<about3>.{4,})|das (?:gilt|stimmt) nicht mehr|"
    r"oublie (?:[çc]a|cela)|oublie (?:que |ce que j'ai dit sur )?(?P<about4>.{4,})|olv[íi]da(?:lo| eso| esto)|"
    r"olvida (?:que |lo de )?(?P<about5>.{4,}))$"
)
"""A person takes something back."""

REFUSED = re.compile(
    r"(?i)\b(?:(?:don'?t|do not|never|no need to|needn'?t|not worth|please don'?t) (?:have to )?(?:remember|remembering|"
    r"keep|save|saving|store|memori[sz]e|note)(?: (?:that|this|it|any of (?:this|it)))?\b(?! (?:\w+ ){0,3}(?:in|under|on)\b)|"
    r"off the record|between us|just testing|this is (?:only |just )?(?:a test|an example|made up|fiction)|"
    r"(?:you )?(?:need not|don'?t need to|don'?t have to) remember|nicht merken|musst du dir nicht merken|"
    r"ne (?:retiens|note) pas|pas besoin de retenir|no (?:lo |la )?(?:recuerdes|guardes|anotes)|entre nosotros)"
)
"""A person does not want what stands beside this to be kept."""
