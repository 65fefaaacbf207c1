"""Planning with a trained world model: samplers, guidance, selection, receding horizon."""

from networld_agent.planning.messages import MessageCount
from networld_agent.planning.planner import Planner
from networld_agent.planning.planner_config import DECODINGS, PLAN_MODES, PlannerConfig
from networld_agent.planning.samplers import SAMPLERS

__all__ = ["DECODINGS", "PLAN_MODES", "SAMPLERS", "MessageCount", "Planner", "PlannerConfig"]
